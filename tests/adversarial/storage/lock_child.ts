// A process that opens a folder, reports it, and holds it until it is killed; with
// `leave` as its second argument, until it has nothing left to do.

import process from "node:process";
import { createFileStorage } from "../../../storage/file/mod.ts";

const storage = createFileStorage(process.argv[2] ?? "");
try {
  await storage.load();
  console.log("open");
  if (process.argv[3] !== "leave") setInterval(() => {}, 1000);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
