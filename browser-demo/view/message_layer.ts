/**
 * The moving parts of the picture: messages on their way and the election timers, on
 * one canvas. With reduced motion a message lights up its lane instead.
 */

import type { NodeId } from "../../mod.ts";
import type { Flight, Kind } from "./flights.ts";
import { SHAPES } from "./legend.ts";
import type { ClusterModel } from "./model.ts";
import type { Palette } from "./palette.ts";
import { between, lane } from "./ring.ts";
import type { Point } from "./ring.ts";

/** The part of the way after which a message is lost, or cut. */
const STOPS = { delivered: 1, lost: 0.62, cut: 0.5 };
/** The size of a shape's unit in that of the picture. */
const SHAPE_UNIT = 0.19;

const paths = Object.entries(SHAPES).map(([kind, path]) => [kind, new Path2D(path)] as const);
const PATHS = Object.fromEntries(paths) as Record<Kind, Path2D>;
const REFUSAL = new Path2D("M3 3 L13 13");

/** The canvas of the picture, in its units. */
export class MessageLayer {
  readonly element = Object.assign(document.createElement("canvas"), { className: "moving", ariaHidden: "true" });
  readonly #drawing = this.element.getContext("2d")!;
  /** Set before the first frame. */
  palette!: Palette;
  still = false;

  /** Sets the size, in CSS pixels. */
  resize(width: number, height: number): void {
    const ratio = Math.min(devicePixelRatio, 2);
    this.element.width = Math.round(width * ratio);
    this.element.height = Math.round(height * ratio);
    this.#drawing.scale(this.element.width / 100, this.element.width / 100);
  }

  draw(
    nowMs: number,
    flights: readonly Flight[],
    places: ReadonlyMap<NodeId, Point>,
    size: number,
    model: ClusterModel,
  ): void {
    this.#drawing.clearRect(0, 0, 100, 100);
    this.#drawTimers(nowMs, places, size, model);
    for (const flight of flights) {
      const [from, to] = [places.get(flight.from), places.get(flight.to)];
      if (from === undefined || to === undefined || flight.startMs > nowMs) continue;
      const part = (nowMs - flight.startMs) / (flight.endMs - flight.startMs);
      const { start, end } = lane(from, to, size);
      if (this.still) this.#drawLit(flight, start, end);
      else this.#drawDot(flight, start, end, Math.min(1, part));
    }
    this.#drawing.globalAlpha = 1;
  }

  #drawTimers(nowMs: number, places: ReadonlyMap<NodeId, Point>, size: number, model: ClusterModel): void {
    const drawing = this.#drawing;
    drawing.lineWidth = 0.62;
    drawing.lineCap = "round";
    for (const [id, { x, y }] of places) {
      const view = model.nodes.get(id);
      if (view === undefined || view.electionTimer === null || view.life !== "running") continue;
      const { startedMs, dueMs } = view.electionTimer;
      const whole = Math.max(0, Math.min(1, (nowMs - startedMs) / Math.max(1, dueMs - startedMs)));
      const part = this.still ? Math.floor(whole * 8) / 8 : whole;
      if (part <= 0) continue;
      drawing.strokeStyle = part > 0.75 ? this.palette["timer-late"] : this.palette.timer;
      drawing.beginPath();
      const top = -Math.PI / 2;
      drawing.arc(x, y, size * 0.525, top, top + part * 2 * Math.PI);
      drawing.stroke();
    }
  }

  #drawDot(flight: Flight, start: Point, end: Point, part: number): void {
    const { fate, kind } = flight;
    // Eases in and out.
    const eased = part * part * (3 - 2 * part);
    const stop = STOPS[fate];
    const { x, y } = between(start, end, Math.min(eased, stop));
    const over = fate === "delivered" ? 0 : Math.max(0, (eased - stop) / (1 - stop));
    this.#drawing.globalAlpha = 1 - over;
    const colour = fate === "cut" && over > 0 ? this.palette.bad : this.palette[kind];
    this.#drawShape(flight, { x, y: fate === "lost" ? y + over * over * 5 : y }, colour);
  }

  #drawLit(flight: Flight, start: Point, end: Point): void {
    const { fate, kind } = flight;
    const stop = between(start, end, STOPS[fate]);
    this.#drawing.strokeStyle = this.palette[kind];
    this.#drawing.lineWidth = 0.5;
    this.#drawing.beginPath();
    this.#drawing.moveTo(start.x, start.y);
    this.#drawing.lineTo(stop.x, stop.y);
    this.#drawing.stroke();
    this.#drawShape(flight, stop, fate === "delivered" ? this.palette[kind] : this.palette.bad);
  }

  /** Draws the shape of a message: larger if it stands for several, hollow if it is an answer. */
  #drawShape({ kind, answer, refusal, messages }: Flight, { x, y }: Point, colour: string): void {
    const drawing = this.#drawing;
    const unit = SHAPE_UNIT * (messages > 3 ? 1.3 : messages > 1 ? 1.15 : 1);
    drawing.save();
    drawing.translate(x, y);
    drawing.scale(unit, unit);
    drawing.translate(-8, -8);
    drawing.lineWidth = 2;
    drawing.fillStyle = answer ? this.palette.surface : colour;
    drawing.fill(PATHS[kind]);
    drawing.strokeStyle = colour;
    drawing.stroke(PATHS[kind]);
    drawing.strokeStyle = this.palette.bad;
    if (refusal) drawing.stroke(REFUSAL);
    drawing.restore();
  }
}
