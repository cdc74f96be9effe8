/**
 * The server as a library: the HTTP interface to mount in an app of your own, a
 * whole server to start, and a listener for any runtime.
 *
 * @module
 */

export type { PeerAddress } from "../hosting/bootstrap.ts";
export type { ListenAddress } from "./addresses.ts";
export { Answers } from "./answers.ts";
export type { AnswerCounts, AnswerLimits } from "./answers.ts";
export { createApp } from "./app.ts";
export type { App, AppOptions } from "./app.ts";
export { EXIT, exitCodeOf } from "./exit_codes.ts";
export type { ExitCode } from "./exit_codes.ts";
export { listen } from "./listen.ts";
export type { ConnectionCounts, ConnectionLimits } from "./connections.ts";
export type { FetchHandler, Listener, ListenOptions } from "./listener.ts";
export { createLogger } from "./log.ts";
export type { LogFields, LogFormat, Logger, LogLevel } from "./log.ts";
export { Metrics } from "./metrics.ts";
export type { ObservedNode } from "./metrics.ts";
export { problem, problemOf, problemResponse } from "./problem.ts";
export type { HttpErrorCode, Problem } from "./problem.ts";
export { ForwardBudget } from "../hosting/forward_budget.ts";
export type { ForwardLimits } from "../hosting/forward_budget.ts";
export type { ServedNode } from "../hosting/served_node.ts";
export { startServer } from "./server.ts";
export type { Server, ServerEnd, ServerOptions } from "./server.ts";
export { onShutdownSignal } from "./shutdown.ts";
export { VERSION } from "./version.ts";
export { Watchers } from "./watchers.ts";
export type { ChangeFormat, EncodedChange, WatchCounts, Watcher, WatchLimits, WatchStream } from "./watchers.ts";
