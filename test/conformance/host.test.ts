// Compares the ops of the host backend with PyTorch.

import { hostData, hostTensor, isHostOp } from '../../src/core/hostBackend.ts'
import { opCases } from '../ops.cases.ts'
import { applyOp, runCases } from './cases.ts'

runCases({
  backend: {
    name: 'host memory',
    // Results are rounded to float32 once; PyTorch sums in a different order.
    tolerance: { absolute: 2e-6, relative: 2e-6 },
    run: (testCase) => hostData(applyOp(testCase, testCase.inputs.map(hostTensor))),
  },
  cases: opCases.filter(({ op, inputs }) => isHostOp(op) && inputs.every(({ dtype }) => dtype === 'float32')),
})
