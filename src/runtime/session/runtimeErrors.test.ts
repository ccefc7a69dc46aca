import { expect, test } from 'vitest'
import { failureOf } from './runtimeErrors.ts'

test.each([
  [
    '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters \n',
    'compute: the runtime failed: Failed to get a WebGPU adapter: No supported adapters',
  ],
  ['a.cc:5 f() x == y was false. ', 'compute: the runtime failed: a.cc:5 f() x == y was false.'],
  ['bad_alloc', 'compute: out of memory (bad_alloc); use smaller tiles'],
])('what ONNX Runtime says is told without its sources', (raw, message) => {
  expect(failureOf(new Error(raw)).message).toBe(message)
})
