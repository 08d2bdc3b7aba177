/** The name of stored bytes by their SHA-256, as registries and the OCI image specification write it. */
export type Digest = `sha256:${string}`;
