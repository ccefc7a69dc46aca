// Tensor handles: lifetime, scopes, memory accounting, and bytes in and out.
#include "addon.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <c10/util/flat_hash_map.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace limpid {
namespace {

// A Node-API external is a bare pointer; its first word says what it points to.
enum class Tag : uint64_t { tensor = 0x746964706d696c74, generator = 0x746964706d696c67 };

struct Tagged {
  Tag tag;
};

struct GeneratorBox : Tagged {
  at::Generator generator;
};

struct Usage {
  int64_t handles = 0;
  int64_t bytes = 0;
};

// One JavaScript environment runs on one thread. Several handles may share a storage; it counts once.
struct State {
  std::vector<std::vector<Block*>> scopes;
  ska::flat_hash_map<const void*, Usage> storages;
  int64_t handles = 0;
  int64_t bytes = 0;
  int64_t unreported = 0;
};

thread_local State state;

}  // namespace

struct Block : Tagged {
  at::Tensor tensor;
  const void* storage = nullptr;
  bool inScope = false;
  bool kept = false;
  bool collected = false;
};

namespace {

// Telling V8 costs more than a small operation, so small changes are gathered.
void account(napi_env env, int64_t change) {
  constexpr int64_t step = 1 << 20;
  state.bytes += change;
  state.unreported += change;
  if (std::llabs(state.unreported) < step) return;
  int64_t total = 0;
  napi_adjust_external_memory(env, state.unreported, &total);
  state.unreported = 0;
}

void hold(napi_env env, Block* block) {
  state.handles++;
  if (!block->tensor.has_storage()) return;
  const auto& storage = block->tensor.storage();
  block->storage = storage.unsafeGetStorageImpl();
  auto& usage = state.storages[block->storage];
  if (usage.handles++ > 0) return;
  usage.bytes = static_cast<int64_t>(storage.nbytes());
  account(env, usage.bytes);
}

void free(napi_env env, Block* block) {
  if (!block->tensor.defined()) return;
  block->tensor.reset();
  state.handles--;
  if (!block->storage) return;
  const auto found = state.storages.find(block->storage);
  if (--found->second.handles > 0) return;
  const auto bytes = found->second.bytes;
  state.storages.erase(found);
  account(env, -bytes);
}

void collectTensor(napi_env env, void* data, void*) {
  auto* block = static_cast<Block*>(data);
  free(env, block);
  if (block->inScope) block->collected = true;
  else delete block;
}

void collectGenerator(napi_env, void* data, void*) { delete static_cast<GeneratorBox*>(data); }

Tagged* taggedOf(napi_env env, napi_value value) {
  void* data = nullptr;
  return napi_get_value_external(env, value, &data) == napi_ok ? static_cast<Tagged*>(data) : nullptr;
}

}  // namespace

napi_value wrap(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return null(env);
  auto* block = new Block{{Tag::tensor}, std::move(tensor)};
  hold(env, block);
  napi_value result;
  const auto status = napi_create_external(env, block, collectTensor, nullptr, &result);
  if (status != napi_ok) {
    free(env, block);
    delete block;
    check(env, status);
  }
  if (!state.scopes.empty()) {
    block->inScope = true;
    state.scopes.back().push_back(block);
  }
  return result;
}

Block* blockOf(napi_env env, napi_value value) {
  auto* tagged = taggedOf(env, value);
  return tagged && tagged->tag == Tag::tensor ? static_cast<Block*>(tagged) : nullptr;
}

const at::Tensor& tensorIn(const Block* block) {
  if (!block->tensor.defined()) throw std::runtime_error("tensor was freed");
  return block->tensor;
}

const at::Tensor& unwrap(napi_env env, napi_value value) {
  const auto* block = blockOf(env, value);
  if (!block) throw std::runtime_error("expected a tensor");
  return tensorIn(block);
}

napi_value wrapGenerator(napi_env env, at::Generator generator) {
  auto* box = new GeneratorBox{{Tag::generator}, std::move(generator)};
  napi_value result;
  check(env, napi_create_external(env, box, collectGenerator, nullptr, &result));
  return result;
}

const at::Generator* generatorOf(napi_env env, napi_value value) {
  auto* tagged = taggedOf(env, value);
  return tagged && tagged->tag == Tag::generator ? &static_cast<GeneratorBox*>(tagged)->generator : nullptr;
}

namespace {

struct DType {
  const char* name;
  at::ScalarType type;
};

constexpr DType dtypes[] = {
    {"float32", at::kFloat},   {"bfloat16", at::kBFloat16}, {"float16", at::kHalf},
    {"int64", at::kLong},      {"bool", at::kBool},         {"uint8", at::kByte},
    {"float64", at::kDouble},  {"int32", at::kInt},         {"int16", at::kShort},
    {"int8", at::kChar},       {"uint16", at::kUInt16},     {"uint32", at::kUInt32},
    {"uint64", at::kUInt64},   {"float8_e4m3fn", at::kFloat8_e4m3fn}, {"float8_e5m2", at::kFloat8_e5m2},
};

}  // namespace

at::ScalarType toScalarType(const std::string& name) {
  std::string known;
  for (const auto& dtype : dtypes) {
    if (name == dtype.name) return dtype.type;
    known += std::string(known.empty() ? "" : ", ") + dtype.name;
  }
  throw std::runtime_error("unknown dtype '" + name + "', expected one of " + known);
}

const char* dtypeName(at::ScalarType type) {
  for (const auto& dtype : dtypes)
    if (dtype.type == type) return dtype.name;
  return c10::toString(type);
}

at::Tensor tensorFrom(napi_env env, napi_value bytes, at::IntArrayRef shape, at::ScalarType type) {
  napi_typedarray_type kind;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, bytes, &kind, &length, &data, nullptr, nullptr) != napi_ok || kind != napi_uint8_array)
    throw std::runtime_error("expected a Uint8Array");
  auto tensor = at::empty(shape, at::TensorOptions(type));
  if (tensor.nbytes() != length)
    throw std::runtime_error("expected " + std::to_string(tensor.nbytes()) + " bytes, got " + std::to_string(length));
  if (length > 0) std::memcpy(tensor.mutable_data_ptr(), data, length);
  return tensor;
}

napi_value bytesOf(napi_env env, const at::Tensor& tensor) {
  const c10::NoGradGuard noGrad;
  const size_t length = tensor.numel() * tensor.element_size();
  napi_value buffer, array;
  void* data = nullptr;
  check(env, napi_create_arraybuffer(env, length, &data, &buffer));
  if (length > 0) at::from_blob(data, tensor.sizes(), at::TensorOptions(tensor.scalar_type())).copy_(tensor);
  check(env, napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array));
  return array;
}

namespace {

napi_value fromBytes(napi_env env, const napi_value* arguments) {
  uint32_t rank = 0;
  if (napi_get_array_length(env, arguments[1], &rank) != napi_ok) throw std::runtime_error("expected a shape");
  std::vector<int64_t> shape(rank);
  for (uint32_t i = 0; i < rank; i++) {
    napi_value size;
    check(env, napi_get_element(env, arguments[1], i, &size));
    shape[i] = toInteger(env, size);
  }
  const c10::NoGradGuard noGrad;
  const auto device = toDevice(toString(env, arguments[3]));
  return wrap(env, tensorFrom(env, arguments[0], shape, toScalarType(toString(env, arguments[2]))).to(device));
}

napi_value toBytes(napi_env env, const napi_value* arguments) { return bytesOf(env, unwrap(env, arguments[0])); }

napi_value shape(napi_env env, const napi_value* arguments) {
  const auto sizes = unwrap(env, arguments[0]).sizes();
  napi_value result;
  check(env, napi_create_array_with_length(env, sizes.size(), &result));
  for (size_t i = 0; i < sizes.size(); i++)
    check(env, napi_set_element(env, result, i, fromNumber(env, static_cast<double>(sizes[i]))));
  return result;
}

napi_value dtype(napi_env env, const napi_value* arguments) {
  return fromString(env, dtypeName(unwrap(env, arguments[0]).scalar_type()));
}

napi_value device(napi_env env, const napi_value* arguments) {
  return fromString(env, unwrap(env, arguments[0]).device().str());
}

napi_value release(napi_env env, const napi_value* arguments) {
  auto* block = blockOf(env, arguments[0]);
  if (!block) throw std::runtime_error("expected a tensor");
  free(env, block);
  return nullptr;
}

napi_value scopeBegin(napi_env, const napi_value*) {
  state.scopes.emplace_back();
  return nullptr;
}

napi_value scopeEnd(napi_env env, const napi_value* arguments) {
  if (state.scopes.empty()) throw std::runtime_error("scopeEnd without scopeBegin");
  uint32_t count = 0;
  if (napi_get_array_length(env, arguments[0], &count) != napi_ok) throw std::runtime_error("expected an array of tensors");
  std::vector<Block*> keep(count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    check(env, napi_get_element(env, arguments[0], i, &value));
    keep[i] = blockOf(env, value);
    if (!keep[i]) throw std::runtime_error("expected an array of tensors");
  }
  for (auto* block : keep) block->kept = true;
  const auto blocks = std::move(state.scopes.back());
  state.scopes.pop_back();
  for (auto* block : blocks) {
    if (block->kept && !state.scopes.empty()) {
      state.scopes.back().push_back(block);
      continue;
    }
    block->inScope = false;
    if (!block->kept) free(env, block);
    if (block->collected) delete block;
  }
  for (auto* block : keep) block->kept = false;
  return nullptr;
}

napi_value liveTensors(napi_env env, const napi_value*) {
  napi_value result;
  check(env, napi_create_object(env, &result));
  setProperty(env, result, "count", fromNumber(env, static_cast<double>(state.handles)));
  setProperty(env, result, "bytes", fromNumber(env, static_cast<double>(state.bytes)));
  return result;
}

}  // namespace

void registerTensor(napi_env env, napi_value exports) {
  addFunction(env, exports, "fromBytes", guarded<fromBytes>);
  addFunction(env, exports, "toBytes", guarded<toBytes>);
  addFunction(env, exports, "shape", guarded<shape>);
  addFunction(env, exports, "dtype", guarded<dtype>);
  addFunction(env, exports, "device", guarded<device>);
  addFunction(env, exports, "release", guarded<release>);
  addFunction(env, exports, "scopeBegin", guarded<scopeBegin>);
  addFunction(env, exports, "scopeEnd", guarded<scopeEnd>);
  addFunction(env, exports, "liveTensors", guarded<liveTensors>);
}

}  // namespace limpid
