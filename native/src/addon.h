// What the addon's files share: errors across the boundary, tensor handles and their lifetime.
// C++ knows no operator by name; everything that TypeScript can do is done there.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <node_api.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace limpid {

// A JavaScript exception is pending already.
struct Pending {};

void check(napi_env env, napi_status status);
void throwFirstLine(napi_env env, const char* message);

// What JavaScript passed; the rest is undefined. No operator of libtorch takes as many.
struct Arguments {
  static constexpr size_t most = 32;
  napi_value values[most];
  size_t count = most;
  napi_value operator[](size_t index) const { return values[index]; }
};

// The one place where C++ exceptions become JavaScript errors.
template <napi_value (*function)(napi_env, const Arguments&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  Arguments arguments;
  try {
    check(env, napi_get_cb_info(env, info, &arguments.count, arguments.values, nullptr, nullptr));
    return function(env, arguments);
  } catch (const Pending&) {
  } catch (const c10::Error& error) {
    throwFirstLine(env, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throwFirstLine(env, error.what());
  }
  return nullptr;
}

// A handle is a Node-API external whose "pointer" names a slot, so that a handle may outlive its tensor without harm.
napi_value wrap(napi_env env, at::Tensor tensor);                  // null for an undefined tensor
const at::Tensor* tensorOf(napi_env env, napi_value value);        // nullptr when it is no tensor; throws when it was freed
const at::Tensor& unwrap(napi_env env, napi_value value);          // throws when it is no tensor or was freed
const at::Generator* generatorOf(napi_env env, napi_value value);  // nullptr when it is no generator
napi_value wrapGenerator(napi_env env, at::Generator generator);

std::string toString(napi_env env, napi_value value);
int64_t toInteger(napi_env env, napi_value value);
bool toBool(napi_env env, napi_value value);
napi_valuetype typeOf(napi_env env, napi_value value);
bool isNullish(napi_env env, napi_value value);
at::Device toDevice(const std::string& name);
at::ScalarType toScalarType(const std::string& name);  // throws on an unknown name, listing the known
const char* dtypeName(at::ScalarType type);
napi_value fromString(napi_env env, const std::string& value);
napi_value fromNumber(napi_env env, double value);
napi_value fromBool(napi_env env, bool value);
napi_value null(napi_env env);
napi_value bytesOf(napi_env env, const at::Tensor& tensor);  // Uint8Array of a copy
at::Tensor tensorFrom(napi_env env, napi_value bytes, at::IntArrayRef shape, at::ScalarType type);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);

// Runs `work` on a libuv thread; the promise resolves with undefined or rejects with the first line of what it threw.
napi_value runAsync(napi_env env, const char* name, std::function<void()> work);

void registerTensor(napi_env env, napi_value exports);
void registerCall(napi_env env, napi_value exports);
void registerAutograd(napi_env env, napi_value exports);
void registerDevice(napi_env env, napi_value exports);
void registerDistributed(napi_env env, napi_value exports);

// Gives tensors on the processor their memory by caching.
void useCachingAllocator();

void addFunction(napi_env env, napi_value exports, const char* name, napi_callback callback);

}  // namespace limpid
