/**
 * The smallest image there can be, made here from nothing: one program of 150 bytes, which tells whether a file is there.
 *
 * Stored as `docker save` writes it, unpacked (Docker image specification 1.2), so that it goes the way of any tracked image. The program is an ELF file of
 * one segment (System V ABI, "Object Files") that calls the kernel and nothing else:
 *
 *     exit(-access(argv[1], F_OK))      0 if it is there, else the number of the error (2: there is no such file)
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { member, TAR_END } from '../containers/engine/archive.ts';
import { hostArchitecture } from '../containers/formats/image.ts';

/** Absolute path of the program in a container. */
export const PROBE_PATH = '/reprise-probe';

/** Machine code by architecture: the number in the ELF header, and the instructions. */
const CODE: Readonly<Record<string, readonly [machine: number, code: string]>> = {
  // mov rdi,[rsp+16]; xor esi,esi; mov eax,21 (access); syscall; mov edi,eax; neg edi; mov eax,60 (exit); syscall
  amd64: [62, '488b7c2410 31f6 b815000000 0f05 89c7 f7df b83c000000 0f05'],
  // ldr x1,[sp,16]; mov x0,AT_FDCWD; mov x2,0; mov x8,48 (faccessat); svc 0; neg x0,x0; mov x8,93 (exit); svc 0
  arm64: [183, 'e10b40f9 600c8092 020080d2 080680d2 010000d4 e00300cb a80b80d2 010000d4'],
};

/** The program, or null where this machine's language is not spoken. */
export function probeProgram(architecture = hostArchitecture()): Buffer | null {
  const known = CODE[architecture];
  if (!known) return null;
  const [machine, hex] = known;
  const code = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const HEADER = 64;
  const START = HEADER + 56;
  const BASE = 0x400000n;
  const size = BigInt(START + code.length);
  const file = Buffer.alloc(START);
  // 64 bits, little-endian, version 1; an executable.
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BASE + BigInt(START), 24);
  file.writeBigUInt64LE(BigInt(HEADER), 32);
  for (const [at, value] of [HEADER, START - HEADER, 1, HEADER].entries()) file.writeUInt16LE(value, 52 + 2 * at);
  // The one segment is loaded whole, to be read and executed.
  file.writeUInt32LE(1, HEADER);
  file.writeUInt32LE(5, HEADER + 4);
  for (const [at, value] of [0n, BASE, BASE, size, size, 0x1000n].entries())
    file.writeBigUInt64LE(value, HEADER + 8 + 8 * at);
  return Buffer.concat([file, code]);
}

/** Writes the image into a new folder. No two are the same: whoever removes one from an engine takes it from nobody else. */
export function writeProbeImage(folder: string, program: Buffer): void {
  const layer = Buffer.concat([...member(PROBE_PATH.slice(1), program, '0755'), TAR_END]);
  const diffId = createHash('sha256').update(layer).digest('hex');
  const config = JSON.stringify({
    architecture: hostArchitecture(),
    os: 'linux',
    config: { Labels: { 'reprise.probe': randomBytes(8).toString('hex') } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
  });
  const name = `${createHash('sha256').update(config).digest('hex')}.json`;
  mkdirSync(join(folder, diffId), { recursive: true });
  writeFileSync(join(folder, diffId, 'layer.tar'), layer);
  writeFileSync(join(folder, name), config);
  const manifest = [{ Config: name, RepoTags: [], Layers: [`${diffId}/layer.tar`] }];
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
}
