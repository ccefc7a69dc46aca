// Declarations shared by the addon's files: errors across the boundary, tensor handles and their lifetime.
// There is no binding per operator; everything that can be done in TypeScript is done there.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <node_api.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace limpid {

// Thrown when a JavaScript exception is already pending.
struct Pending {};

void check(napi_env env, napi_status status);
void throwFirstLine(napi_env env, const char* message);

// Arguments from JavaScript; missing ones are undefined. No libtorch operator takes more than the limit.
struct Arguments {
  static constexpr size_t limit = 32;
  napi_value values[limit];
  size_t count = limit;
  napi_value operator[](size_t index) const { return values[index]; }
};

// Converts C++ exceptions to JavaScript errors.
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

// A handle is a Node-API external whose "pointer" identifies a slot, so that a handle
// can safely outlive its tensor.
napi_value wrap(napi_env env, at::Tensor tensor);                  // null for an undefined tensor
const at::Tensor* tensorOf(napi_env env, napi_value value);        // nullptr if not a tensor; throws if freed
const at::Tensor& unwrap(napi_env env, napi_value value);          // throws if not a tensor, or freed
const at::Generator* generatorOf(napi_env env, napi_value value);  // nullptr if not a generator
napi_value wrapGenerator(napi_env env, at::Generator generator);

std::string toString(napi_env env, napi_value value);
int64_t toInteger(napi_env env, napi_value value);
bool toBool(napi_env env, napi_value value);
napi_valuetype typeOf(napi_env env, napi_value value);
bool isNullish(napi_env env, napi_value value);
at::Device toDevice(const std::string& name);
at::ScalarType toScalarType(const std::string& name);  // throws on an unknown name, with a list of known ones
const char* dtypeName(at::ScalarType type);
napi_value fromString(napi_env env, const std::string& value);
napi_value fromNumber(napi_env env, double value);
napi_value fromBool(napi_env env, bool value);
napi_value null(napi_env env);
napi_value bytesOf(napi_env env, const at::Tensor& tensor);  // copied to a Uint8Array
at::Tensor tensorFrom(napi_env env, napi_value bytes, at::IntArrayRef shape, at::ScalarType type);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);

// Runs `work` on a libuv thread; the promise resolves with undefined or rejects with
// the first line of the error.
napi_value runAsync(napi_env env, const char* name, std::function<void()> work);

void registerTensor(napi_env env, napi_value exports);
void registerCall(napi_env env, napi_value exports);
void registerAutograd(napi_env env, napi_value exports);
void registerDevice(napi_env env, napi_value exports);
void registerDistributed(napi_env env, napi_value exports);

// Makes libtorch allocate CPU tensors from a cache.
void useCachingAllocator();

void addFunction(napi_env env, napi_value exports, const char* name, napi_callback callback);

}  // namespace limpid
