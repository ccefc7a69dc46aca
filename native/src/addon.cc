// Entry point, errors, and conversions between JavaScript and C++ values.
#include "addon.h"

#include <ATen/Version.h>

#include <cmath>
#include <memory>

namespace limpid {

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw Pending{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw std::runtime_error(info && info->error_message ? info->error_message : "Node-API call failed");
}

static std::string firstLine(const char* message) {
  std::string text(message);
  return text.substr(0, text.find('\n'));
}

void throwFirstLine(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, firstLine(message).c_str());
}

std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) throw std::runtime_error("expected a string");
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

int64_t toInteger(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok && std::trunc(number) == number && std::abs(number) < 0x1p53)
    return static_cast<int64_t>(number);
  throw std::runtime_error("expected an integer");
}

bool toBool(napi_env env, napi_value value) {
  bool result = false;
  if (napi_get_value_bool(env, value, &result) != napi_ok) throw std::runtime_error("expected true or false");
  return result;
}

napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

bool isNullish(napi_env env, napi_value value) {
  const auto type = typeOf(env, value);
  return type == napi_null || type == napi_undefined;
}

napi_value fromString(napi_env env, const std::string& value) {
  napi_value result;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

napi_value fromNumber(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value fromBool(napi_env env, bool value) {
  napi_value result;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value null(napi_env env) {
  napi_value result;
  check(env, napi_get_null(env, &result));
  return result;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

void addFunction(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  setProperty(env, exports, name, function);
}

namespace {

struct AsyncTask {
  std::function<void()> work;
  std::string error;
  napi_deferred deferred = nullptr;
  napi_async_work handle = nullptr;
};

void execute(napi_env, void* data) {
  auto* task = static_cast<AsyncTask*>(data);
  try {
    task->work();
  } catch (const c10::Error& error) {
    task->error = firstLine(error.what_without_backtrace());
  } catch (const std::exception& error) {
    task->error = firstLine(error.what());
  }
  task->work = nullptr;
}

void complete(napi_env env, napi_status status, void* data) {
  std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
  if (status == napi_cancelled) task->error = "canceled";
  napi_value value;
  if (task->error.empty()) {
    napi_get_undefined(env, &value);
    napi_resolve_deferred(env, task->deferred, value);
  } else {
    napi_value message;
    napi_create_string_utf8(env, task->error.data(), task->error.size(), &message);
    napi_create_error(env, nullptr, message, &value);
    napi_reject_deferred(env, task->deferred, value);
  }
  napi_delete_async_work(env, task->handle);
}

}  // namespace

napi_value runAsync(napi_env env, const char* name, std::function<void()> work) {
  auto task = std::make_unique<AsyncTask>();
  task->work = std::move(work);
  napi_value promise, resource;
  check(env, napi_create_promise(env, &task->deferred, &promise));
  check(env, napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource));
  check(env, napi_create_async_work(env, nullptr, resource, execute, complete, task.get(), &task->handle));
  check(env, napi_queue_async_work(env, task->handle));
  task.release();
  return promise;
}

// Headers of one libtorch with the libraries of another would crash later, in obscure ways.
static void checkVersion() {
  const std::string config = at::show_config();
  const std::string key = "TORCH_VERSION=", built = LIMPID_TORCH_VERSION;
  const auto start = config.find(key);
  if (start == std::string::npos) return;
  const auto from = start + key.size();
  const auto loaded = config.substr(from, config.find_first_of(", \n", from) - from);
  if (built.compare(0, loaded.size(), loaded) != 0)
    throw std::runtime_error("the addon was built for libtorch " + built + ", but libtorch " + loaded + " was loaded");
}

static napi_value registerAll(napi_env env, napi_value exports) {
  checkVersion();
  useCachingAllocator();
  setProperty(env, exports, "torchVersion", fromString(env, LIMPID_TORCH_VERSION));
  registerTensor(env, exports);
  registerCall(env, exports);
  registerAutograd(env, exports);
  registerDevice(env, exports);
  registerDistributed(env, exports);
  return exports;
}

}  // namespace limpid

NAPI_MODULE_INIT() {
  try {
    return limpid::registerAll(env, exports);
  } catch (const limpid::Pending&) {
  } catch (const std::exception& error) {
    limpid::throwFirstLine(env, error.what());
  }
  return nullptr;
}
