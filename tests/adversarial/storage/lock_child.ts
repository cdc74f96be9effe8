// A process that opens a folder, says so, and holds it until it is killed.

import process from "node:process";
import { openFileStorage } from "../../../storage/file/mod.ts";

const storage = openFileStorage(process.argv[2] ?? "");
try {
  await storage.load();
  console.log("open");
  setInterval(() => {}, 1000);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
