/**
 * The identity of a folder: one line of JSON, and one with its CRC-32C. The file is
 * replaced as a whole through a temporary one.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { Identity } from "../../lib/storage.ts";
import { damaged, readFailure, unsupportedVersion } from "./file_errors.ts";
import { errorCode, readFully } from "./file_system.ts";
import type { Folder } from "./folder.ts";
import { formatVersion } from "./segment.ts";

export const manifestName = "manifest";
const maxBytes = 64 * 1024;

function lineChecksum(line: string): string {
  return crc32c(new TextEncoder().encode(line)).toString(16).padStart(8, "0");
}

/**
 * Reads the manifest; `null` if there is none.
 *
 * @throws {StorageError} `damaged`, or `unsupported_version`
 */
export async function readManifest(folder: Folder): Promise<Identity | null> {
  const path = folder.pathOf(manifestName);
  try {
    return decodeManifest(path, await folder.read(path, (file) => readFully(file, 0, maxBytes)));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw readFailure(path, error);
  }
}

function decodeManifest(path: string, bytes: Uint8Array): Identity {
  const [line = "", checksum, rest] = new TextDecoder().decode(bytes).split("\n");
  let fields: Record<string, unknown>;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) throw new TypeError("not an object");
    fields = value as Record<string, unknown>;
  } catch (error) {
    throw damaged(path, 0, "it is not a manifest", error);
  }
  const { format, nodeId, incarnation, clusterId } = fields as Record<keyof Identity | "format", unknown>;
  if (typeof format === "number" && format !== formatVersion) throw unsupportedVersion(path, `format ${format}`);
  if (checksum !== lineChecksum(line) || rest !== "") throw damaged(path, 0, "the manifest has a wrong checksum");
  if (typeof nodeId !== "string" || typeof incarnation !== "string" || typeof clusterId !== "string") {
    throw damaged(path, 0, "the manifest lacks a field");
  }
  return { nodeId, incarnation, clusterId };
}

export async function writeManifest(folder: Folder, identity: Identity): Promise<void> {
  const { nodeId, incarnation, clusterId } = identity;
  const line = JSON.stringify({ format: formatVersion, nodeId, incarnation, clusterId });
  const path = folder.pathOf(manifestName);
  const bytes = new TextEncoder().encode(`${line}\n${lineChecksum(line)}\n`);
  const file = await folder.createSynced(`${path}.tmp`, bytes);
  // It is durable already, so a failed close doesn't matter.
  await file.close().catch(() => {});
  await folder.rename(`${path}.tmp`, path);
}
