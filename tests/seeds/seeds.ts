import type { SimulationOptions } from "../../simulation/mod.ts";
