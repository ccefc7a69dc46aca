// Compiles a traced graph to the bytes of an ONNX file.

import type { Graph } from './graph.ts'
import { lower } from './lower.ts'
import { optimize } from './optimize.ts'
import { writeOnnx } from './write.ts'

/** Optimizes, lowers and writes a graph; `metadata` is stored in the file. */
export function toOnnx(
  graph: Graph,
  { metadata = {} }: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Uint8Array {
  return writeOnnx(lower(optimize(graph), metadata))
}
