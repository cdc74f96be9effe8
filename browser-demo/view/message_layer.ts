/**
 * The moving parts of the picture: messages on their way and the election timers, on
 * one canvas. With reduced motion a message lights up its lane instead.
 */

import type { NodeId } from "../../mod.ts";
import type { Flight } from "./flights.ts";
import type { ClusterModel } from "./model.ts";
import type { Palette } from "./palette.ts";
import { between, lane } from "./ring.ts";
import type { Point } from "./ring.ts";

/** The part of the way after which a message is lost, or cut. */
const LOST_AT = 0.62;
const CUT_AT = 0.5;

/** The canvas of the picture. */
export class MessageLayer {
  readonly element = Object.assign(document.createElement("canvas"), { className: "moving", ariaHidden: "true" });
  readonly #drawing = this.element.getContext("2d");
  palette: Palette | null = null;
  still = false;
  #scale = 1;
  #ratio = 1;

  /** Sets the size, in CSS pixels. */
  resize(width: number, height: number): void {
    this.#ratio = Math.min(devicePixelRatio, 2);
    this.element.width = Math.round(width * this.#ratio);
    this.element.height = Math.round(height * this.#ratio);
    this.#scale = this.element.width / 100;
  }

  draw(
    nowMs: number,
    flights: readonly Flight[],
    places: ReadonlyMap<NodeId, Point>,
    size: number,
    model: ClusterModel,
  ): void {
    const drawing = this.#drawing;
    if (drawing === null || this.palette === null) return;
    drawing.clearRect(0, 0, this.element.width, this.element.height);
    this.#drawTimers(drawing, this.palette, nowMs, places, size, model);
    for (const flight of flights) {
      const [from, to] = [places.get(flight.from), places.get(flight.to)];
      if (from === undefined || to === undefined || flight.startMs > nowMs) continue;
      const part = (nowMs - flight.startMs) / (flight.endMs - flight.startMs);
      const { start, end } = lane(from, to, size);
      if (this.still) this.#drawLit(drawing, this.palette, flight, start, end);
      else this.#drawDot(drawing, this.palette, flight, start, end, Math.min(1, part));
    }
    drawing.globalAlpha = 1;
  }

  #drawTimers(
    drawing: CanvasRenderingContext2D,
    palette: Palette,
    nowMs: number,
    places: ReadonlyMap<NodeId, Point>,
    size: number,
    model: ClusterModel,
  ): void {
    drawing.lineWidth = 0.62 * this.#scale;
    drawing.lineCap = "round";
    for (const [id, place] of places) {
      const view = model.nodes.get(id);
      if (view === undefined || view.electionTimer === null || view.life !== "running") continue;
      const { startedMs, dueMs } = view.electionTimer;
      const whole = Math.max(0, Math.min(1, (nowMs - startedMs) / Math.max(1, dueMs - startedMs)));
      const part = this.still ? Math.floor(whole * 8) / 8 : whole;
      if (part <= 0) continue;
      drawing.strokeStyle = part > 0.75 ? palette["timer-late"] : palette.timer;
      drawing.beginPath();
      const top = -Math.PI / 2;
      drawing.arc(
        place.x * this.#scale,
        place.y * this.#scale,
        size * 0.525 * this.#scale,
        top,
        top + part * 2 * Math.PI,
      );
      drawing.stroke();
    }
  }

  #drawDot(
    drawing: CanvasRenderingContext2D,
    palette: Palette,
    flight: Flight,
    start: Point,
    end: Point,
    part: number,
  ): void {
    // Eases in and out.
    const eased = part * part * (3 - 2 * part);
    const { fate } = flight;
    const stop = fate === "cut" ? CUT_AT : fate === "lost" ? LOST_AT : 1;
    const at = between(start, end, Math.min(eased, stop));
    const over = fate === "delivered" ? 0 : Math.max(0, (eased - stop) / (1 - stop));
    const [x, y] = [at.x * this.#scale, (at.y + (fate === "lost" ? over * over * 5 : 0)) * this.#scale];
    drawing.globalAlpha = fate === "delivered" ? 1 : 1 - over;
    const colour = fate === "cut" && over > 0 ? palette.bad : palette[flight.kind];
    const radius = this.#drawShape(drawing, palette, flight, x, y, colour);
    if (flight.refusal) {
      drawing.strokeStyle = palette.bad;
      drawing.beginPath();
      drawing.moveTo(x - radius, y - radius);
      drawing.lineTo(x + radius, y + radius);
      drawing.stroke();
    }
  }

  #drawLit(drawing: CanvasRenderingContext2D, palette: Palette, flight: Flight, start: Point, end: Point): void {
    drawing.strokeStyle = palette[flight.kind];
    drawing.lineWidth = 0.5 * this.#scale;
    const stop = between(start, end, flight.fate === "cut" ? CUT_AT : flight.fate === "lost" ? LOST_AT : 1);
    drawing.beginPath();
    drawing.moveTo(start.x * this.#scale, start.y * this.#scale);
    drawing.lineTo(stop.x * this.#scale, stop.y * this.#scale);
    drawing.stroke();
    const colour = flight.fate === "delivered" ? palette[flight.kind] : palette.bad;
    this.#drawShape(drawing, palette, flight, stop.x * this.#scale, stop.y * this.#scale, colour);
  }

  /** Draws the shape of a message, hollow if it is an answer, and returns its radius. */
  #drawShape(
    drawing: CanvasRenderingContext2D,
    palette: Palette,
    flight: Flight,
    x: number,
    y: number,
    colour: string,
  ): number {
    const radius = radiusOf(flight) * this.#scale;
    drawing.beginPath();
    outline(drawing, flight.kind, x, y, radius);
    drawing.fillStyle = flight.answer ? palette.surface : colour;
    drawing.fill();
    drawing.strokeStyle = colour;
    drawing.lineWidth = radius * 0.4;
    drawing.stroke();
    return radius;
  }
}

function radiusOf({ kind, messages }: Flight): number {
  const base = kind === "heartbeat" ? 0.6 : kind === "snapshot" ? 1.3 : 0.95;
  return base * (messages > 3 ? 1.3 : messages > 1 ? 1.15 : 1);
}

/** Votes are diamonds, heartbeats small dots, entries squares, snapshots large squares, TimeoutNow is a triangle. */
function outline(drawing: CanvasRenderingContext2D, kind: Flight["kind"], x: number, y: number, radius: number): void {
  switch (kind) {
    case "heartbeat":
      drawing.arc(x, y, radius, 0, 2 * Math.PI);
      break;
    case "vote":
      drawing.moveTo(x, y - radius * 1.2);
      drawing.lineTo(x + radius * 1.2, y);
      drawing.lineTo(x, y + radius * 1.2);
      drawing.lineTo(x - radius * 1.2, y);
      drawing.closePath();
      break;
    case "entries":
    case "snapshot":
      drawing.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
      break;
    case "timeoutNow":
      drawing.moveTo(x, y - radius * 1.2);
      drawing.lineTo(x + radius * 1.1, y + radius * 0.9);
      drawing.lineTo(x - radius * 1.1, y + radius * 0.9);
      drawing.closePath();
      break;
  }
}
