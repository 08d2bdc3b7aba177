import { describe, expect, test } from 'vitest';
import { defaultCallFormat, formatCall, formatExtraInputs } from '../../../src/containers/call-format.ts';
import { formatTemplate } from '../../../src/core/format.ts';
import { RepriseError } from '../../../src/core/errors.ts';

const VALUES = {
  image: '../.datalad/environments/bb/image',
  imageDataset: '..',
  command: "sh -c 'echo hello > {outputs}'",
};

function refusal(action: () => unknown): RepriseError {
  try {
    action();
  } catch (error) {
    if (error instanceof RepriseError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a call format', () => {
  test('gives the line that DataLad records, placeholders of the run left as they are', () => {
    expect(formatCall('singularity exec {img} {cmd}', VALUES)).toBe(
      "singularity exec ../.datalad/environments/bb/image sh -c 'echo hello > {outputs}'",
    );
    expect(formatCall('{img_dspath}/code/call {img_dirpath} {img} {cmd}', VALUES)).toBe(
      "../code/call ../.datalad/environments/bb ../.datalad/environments/bb/image sh -c 'echo hello > {outputs}'",
    );
  });

  test('keeps doubled braces for the run', () => {
    expect(formatCall('singularity exec -B {{pwd}} {img} {cmd}', { ...VALUES, command: 'true' })).toBe(
      'singularity exec -B {pwd} ../.datalad/environments/bb/image true',
    );
  });

  test('names no interpreter of this machine', () => {
    const line = formatCall(defaultCallFormat('dhub://busybox'), { ...VALUES, command: 'true' });
    expect(line).toBe('python3 -m datalad_container.adapters.docker run ../.datalad/environments/bb/image true');
  });

  test('may be missing: the image is then the program, relative to where the command runs', () => {
    expect(formatCall(undefined, { ...VALUES, command: 'true' })).toBe('../.datalad/environments/bb/image true');
    expect(formatCall(undefined, { image: 'image.sif', imageDataset: '.', command: 'a b' })).toBe('./image.sif a b');
  });

  test.each([
    ['sing {img} {cmd}', "sing 'my images/a{{b}}' true"],
    ['sing "{img}" {cmd}', 'sing "my images/a{{b}}" true'],
    ["sing '{img}' {cmd}", "sing 'my images/a{{b}}' true"],
    ['sing "it\'s {img}" \\" {cmd}', 'sing "it\'s my images/a{{b}}" \\" true'],
    ['sing {img_dirpath}/x {cmd}', "sing 'my images'/x true"],
  ])('protects a path with blanks and braces in %s', (cmdexec, line) => {
    const values = { image: 'my images/a{b}', imageDataset: '.', command: 'true' };
    expect(formatCall(cmdexec, values)).toBe(line);
    expect(formatTemplate(formatCall(cmdexec, values), {})).toContain('my images');
  });

  test('refuses unknown placeholders in DataLad’s words', () => {
    const error = refusal(() => formatCall('singularity exec {image} {cmd}', VALUES));
    expect(error.code).toBe('placeholder-unknown');
    expect(error.message).toBe(
      "Unrecognized cmdexec placeholder: 'image'. See containers-add for information on known ones: python, img, cmd, img_dspath, img_dirpath",
    );
  });

  test('refuses the old form, a JSON list, and takes what only starts like one', () => {
    expect(refusal(() => formatCall('["singularity", "exec", "{img}", "{cmd}"]', VALUES)).code).toBe('config-invalid');
    expect(formatCall('[ -e {img} ] && {cmd}', { ...VALUES, command: 'true' })).toBe(
      '[ -e ../.datalad/environments/bb/image ] && true',
    );
  });

  test.each(['{}', '{0}', '{cmd.x}', '{cmd'])('refuses %s as malformed', (cmdexec) => {
    expect(refusal(() => formatCall(cmdexec, VALUES)).code).toBe('placeholder-invalid');
  });
});

describe('extra inputs', () => {
  test('know the places of the image and of its dataset', () => {
    expect(formatExtraInputs(['{img_dirpath}/overlay.img', '{img_dspath}/lib', 'plain'], VALUES)).toEqual([
      '../.datalad/environments/bb/overlay.img',
      '../lib',
      'plain',
    ]);
    expect(formatExtraInputs(['{img_dirpath}'], { image: 'x.sif', imageDataset: '.' })).toEqual(['.']);
  });

  test('refuse unknown placeholders in DataLad’s words', () => {
    expect(refusal(() => formatExtraInputs(['{img}'], VALUES)).message).toMatch(
      /^Unrecognized extra_input placeholder: 'img'\./,
    );
  });
});

test('the default depends on where an image comes from', () => {
  expect(defaultCallFormat('docker://debian:12')).toBe('singularity exec {img} {cmd}');
  expect(defaultCallFormat('shub://x/y')).toBe('singularity exec {img} {cmd}');
  expect(defaultCallFormat('https://example.org/x.sif')).toBeUndefined();
  expect(defaultCallFormat(undefined)).toBeUndefined();
});
