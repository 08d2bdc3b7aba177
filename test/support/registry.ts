/** Tests that install packages need a registry; where none can be reached they are skipped, unless skipping is forbidden. */

const UNREACHABLE =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/;

/** Whether what npm printed excuses a test from running: no registry was reached, and REPRISE_REQUIRE_ALL is not set. */
export function excusedByNetwork(output: string): boolean {
  return UNREACHABLE.test(output) && !process.env['REPRISE_REQUIRE_ALL'];
}
