/**
 * A proxy that ends TLS in front of a server, and passes all bytes on.
 *
 * @module
 */

import { connect } from "node:net";
import type { Socket } from "node:net";
import { createServer } from "node:tls";

/** The certificate of 127.0.0.1 and localhost, which signs itself; valid from 2020 to 2126. */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBozCCAUigAwIBAgIUfoZlyV/SFLmlhACubM/jsn2ScKgwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOcmFmdC1jb3JlLXRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
NjExMDUxMTU0MDlaMBkxFzAVBgNVBAMMDnJhZnQtY29yZS10ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEkIDJR28ZnUvRunp7mbFwz1mwyQXYQnMvtBJzLb2O
Ldm/QbYPso/UGD62QnRSWabKqXISt54hCdToV4a1s4jwD6NsMGowHQYDVR0OBBYE
FADyNleEWg/Ovb/4Jvo11d4sbspAMB8GA1UdIwQYMBaAFADyNleEWg/Ovb/4Jvo1
1d4sbspAMBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAMBgNVHRMBAf8EAjAA
MAoGCCqGSM49BAMCA0kAMEYCIQCVhERQIUkdz3nnv/6ZLtFv2tcdCwxxXEg/RpOf
alnKyAIhAPHZd0BpjjSZxBu6ak2bTIQewHgcRhN2ERwBobPU5+O/
-----END CERTIFICATE-----
`;

/** The key of the certificate; it protects nothing. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUbnitb0wFihuuev5
bf8AR3/wvMn9tXO4Tea4VuJExUKhRANCAASQgMlHbxmdS9G6enuZsXDPWbDJBdhC
cy+0EnMtvY4t2b9Btg+yj9QYPrZCdFJZpsqpchK3niEJ1OhXhrWziPAP
-----END PRIVATE KEY-----
`;

/** A proxy that listens. */
export interface TlsProxy {
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Listens on one port of 127.0.0.1, and passes connections on to another one. */
export async function startTlsProxy(port: number, targetPort: number): Promise<TlsProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  };
  // Peers speak HTTP/2, and clients any: the server tells them apart by their first bytes.
  const server = createServer({ key: KEY, cert: CERTIFICATE, ALPNProtocols: ["h2", "http/1.1"] }, (near) => {
    const far = connect({ host: "127.0.0.1", port: targetPort, noDelay: true });
    keep(near);
    keep(far);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
