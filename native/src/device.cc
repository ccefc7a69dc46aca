// Threads and CUDA. Compiles without CUDA's headers, also against CPU builds of libtorch.
#include "addon.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

namespace limpid {

at::Device toDevice(const std::string& name) {
  const at::Device device(name);
  if (device.is_cuda() && !device.has_index()) return at::Device(at::kCUDA, 0);
  return device;
}

namespace {

const at::CUDAHooksInterface& cuda() {
  if (!at::detail::getCUDAHooks().hasCUDA()) throw std::runtime_error("this libtorch has no CUDA, or no CUDA device is present");
  at::globalContext().lazyInitDevice(at::kCUDA);
  return at::detail::getCUDAHooks();
}

// The CUDA driver, called without its headers; its C interface is stable.
class Driver {
 public:
  Driver() : library_(dlopen("libcuda.so.1", RTLD_LAZY)) {
    if (!library_) throw std::runtime_error("the CUDA driver libcuda.so.1 cannot be loaded");
    call<unsigned>("cuInit", 0u);
  }

  template <class... Parameters>
  void call(const char* name, Parameters... parameters) const {
    auto* function = reinterpret_cast<int (*)(Parameters...)>(dlsym(library_, name));
    const int code = function ? function(parameters...) : -1;
    if (code != 0) throw std::runtime_error(std::string(name) + " failed with code " + std::to_string(code));
  }

 private:
  void* library_;
};

napi_value describeDevice(napi_env env, const Driver& driver, int index) {
  constexpr int capabilityMajor = 75, capabilityMinor = 76;
  int device = 0, major = 0, minor = 0;
  size_t bytes = 0;
  char name[256] = {};
  driver.call<int*, int>("cuDeviceGet", &device, index);
  driver.call<char*, int, int>("cuDeviceGetName", name, sizeof name, device);
  driver.call<size_t*, int>("cuDeviceTotalMem_v2", &bytes, device);
  driver.call<int*, int, int>("cuDeviceGetAttribute", &major, capabilityMajor, device);
  driver.call<int*, int, int>("cuDeviceGetAttribute", &minor, capabilityMinor, device);
  napi_value result;
  check(env, napi_create_object(env, &result));
  setProperty(env, result, "name", fromString(env, name));
  setProperty(env, result, "totalBytes", fromNumber(env, static_cast<double>(bytes)));
  setProperty(env, result, "computeCapability", fromString(env, std::to_string(major) + "." + std::to_string(minor)));
  return result;
}

napi_value cudaDevices(napi_env env, const Arguments&) {
  napi_value result;
  check(env, napi_create_array(env, &result));
  const auto& hooks = at::detail::getCUDAHooks();
  const int count = hooks.hasCUDA() ? hooks.getNumGPUs() : 0;
  if (count == 0) return result;
  const Driver driver;
  for (int i = 0; i < count; i++) check(env, napi_set_element(env, result, i, describeDevice(env, driver, i)));
  return result;
}

napi_value synchronize(napi_env env, const Arguments& arguments) {
  const auto device = toDevice(toString(env, arguments[0]));
  return runAsync(env, "synchronize", [device] {
    if (device.is_cuda()) cuda().deviceSynchronize(device.index());
  });
}

napi_value threads(napi_env env, const Arguments&) { return fromNumber(env, at::get_num_threads()); }

napi_value setThreads(napi_env env, const Arguments& arguments) {
  const auto count = toInteger(env, arguments[0]);
  if (count < 1) throw std::runtime_error("expected at least one thread");
  at::set_num_threads(static_cast<int>(count));
  return nullptr;
}

}  // namespace

void registerDevice(napi_env env, napi_value exports) {
  addFunction(env, exports, "threads", guarded<threads>);
  addFunction(env, exports, "setThreads", guarded<setThreads>);
  addFunction(env, exports, "cudaDevices", guarded<cudaDevices>);
  addFunction(env, exports, "synchronize", guarded<synchronize>);
}

}  // namespace limpid
