// Gradients, autocast and random generators.
#include "addon.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

// Declared here because ATen/autocast_mode.h includes every operator: seconds of
// compilation for five functions.
namespace at::autocast {
TORCH_API bool is_autocast_enabled(at::DeviceType device_type);
TORCH_API void set_autocast_enabled(at::DeviceType device_type, bool enabled);
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device_type);
TORCH_API void set_autocast_dtype(at::DeviceType device_type, at::ScalarType dtype);
TORCH_API void clear_cache();
}  // namespace at::autocast

namespace limpid {
namespace {

napi_value requiresGrad(napi_env env, const Arguments& arguments) {
  return fromBool(env, unwrap(env, arguments[0]).requires_grad());
}

napi_value setRequiresGrad(napi_env env, const Arguments& arguments) {
  unwrap(env, arguments[0]).requires_grad_(toBool(env, arguments[1]));
  return nullptr;
}

napi_value grad(napi_env env, const Arguments& arguments) { return wrap(env, unwrap(env, arguments[0]).grad()); }

napi_value setGrad(napi_env env, const Arguments& arguments) {
  const auto& tensor = unwrap(env, arguments[0]);
  tensor.mutable_grad() = isNullish(env, arguments[1]) ? at::Tensor() : unwrap(env, arguments[1]);
  return nullptr;
}

napi_value backward(napi_env env, const Arguments& arguments) {
  torch::autograd::backward({unwrap(env, arguments[0])});
  return nullptr;
}

napi_value setGradEnabled(napi_env env, const Arguments& arguments) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(toBool(env, arguments[0]));
  return fromBool(env, before);
}

napi_value setAutocast(napi_env env, const Arguments& arguments) {
  const auto device = toDevice(toString(env, arguments[0])).type();
  const bool before = at::autocast::is_autocast_enabled(device);
  const auto dtype = at::autocast::get_autocast_dtype(device);
  const bool enable = !isNullish(env, arguments[1]);
  if (enable) at::autocast::set_autocast_dtype(device, toScalarType(toString(env, arguments[1])));
  else at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device, enable);
  return before ? fromString(env, dtypeName(dtype)) : null(env);
}

napi_value clearAutocastCache(napi_env, const Arguments&) {
  at::autocast::clear_cache();
  return nullptr;
}

napi_value createGenerator(napi_env env, const Arguments& arguments) {
  const auto device = toDevice(toString(env, arguments[0]));
  uint64_t seed = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env, arguments[1], &seed, &lossless) != napi_ok || !lossless)
    throw std::runtime_error("expected a seed, a bigint from 0 to 2^64 - 1");
  if (device.is_cpu()) return wrapGenerator(env, at::make_generator<at::CPUGeneratorImpl>(seed));
  at::globalContext().lazyInitDevice(device.type());
  auto generator = at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  generator.set_current_seed(seed);
  return wrapGenerator(env, std::move(generator));
}

const at::Generator& unwrapGenerator(napi_env env, napi_value value) {
  const auto* generator = generatorOf(env, value);
  if (!generator) throw std::runtime_error("expected a generator");
  return *generator;
}

napi_value generatorState(napi_env env, const Arguments& arguments) {
  return bytesOf(env, unwrapGenerator(env, arguments[0]).get_state());
}

napi_value setGeneratorState(napi_env env, const Arguments& arguments) {
  auto generator = unwrapGenerator(env, arguments[0]);
  const auto expected = generator.get_state();
  generator.set_state(tensorFrom(env, arguments[1], expected.sizes(), at::kByte));
  return nullptr;
}

}  // namespace

void registerAutograd(napi_env env, napi_value exports) {
  addFunction(env, exports, "requiresGrad", guarded<requiresGrad>);
  addFunction(env, exports, "setRequiresGrad", guarded<setRequiresGrad>);
  addFunction(env, exports, "grad", guarded<grad>);
  addFunction(env, exports, "setGrad", guarded<setGrad>);
  addFunction(env, exports, "backward", guarded<backward>);
  addFunction(env, exports, "setGradEnabled", guarded<setGradEnabled>);
  addFunction(env, exports, "setAutocast", guarded<setAutocast>);
  addFunction(env, exports, "clearAutocastCache", guarded<clearAutocastCache>);
  addFunction(env, exports, "createGenerator", guarded<createGenerator>);
  addFunction(env, exports, "generatorState", guarded<generatorState>);
  addFunction(env, exports, "setGeneratorState", guarded<setGeneratorState>);
}

}  // namespace limpid
