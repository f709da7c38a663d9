// A server for callbacks.
import { createServer } from "node:http";

/** Keeps what it receives; answers with the document of a path, or 204. */
export async function listening(documents) {
  const received = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const url = base + request.url;
    const { pathname } = new URL(url);
    const { method, headers } = request;
    received.push({ method, url, path: pathname, headers, body: Buffer.concat(parts).toString() });
    const document = documents[pathname];
    response.writeHead(document ? 200 : 204, { "content-type": "text/xml" }).end(document);
  });
  await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
  const base = `http://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { received, close, at: (path) => base + path };
}
