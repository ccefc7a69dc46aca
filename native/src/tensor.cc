// Tensor handles: lifetime, scopes, memory accounting, and conversion from and to bytes.
#include "addon.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <c10/util/flat_hash_map.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace limpid {
namespace {

struct Usage {
  int64_t handles = 0;
  int64_t bytes = 0;
};

struct Slot {
  at::Tensor tensor;
  const void* storage = nullptr;
  uint32_t generation = 0;
  bool kept = false;
};

// The number behind a tensor handle: generation, slot, and a lowest bit that
// distinguishes it from a pointer to a generator.
using Id = uint64_t;

constexpr int slotBits = 28;

Id idOf(uint32_t slot, uint32_t generation) {
  return (static_cast<Id>(generation) << (slotBits + 1)) | (static_cast<Id>(slot) << 1) | 1;
}

uint32_t slotOf(Id id) { return (id >> 1) & ((1u << slotBits) - 1); }
uint32_t generationOf(Id id) { return static_cast<uint32_t>(id >> (slotBits + 1)); }

// A JavaScript environment runs on one thread. A storage shared by several handles counts once.
struct State {
  std::deque<Slot> slots;
  std::vector<uint32_t> unused;
  std::vector<std::vector<Id>> scopes;
  ska::flat_hash_map<const void*, Usage> storages;
  int64_t bytes = 0;
  int64_t unreported = 0;
};

thread_local State threadState;

// A report to V8 costs more than a small operation, so small changes are batched.
void account(napi_env env, State& state, int64_t change) {
  constexpr int64_t step = 1 << 20;
  state.bytes += change;
  state.unreported += change;
  if (std::llabs(state.unreported) < step) return;
  int64_t total = 0;
  napi_adjust_external_memory(env, state.unreported, &total);
  state.unreported = 0;
}

Id hold(napi_env env, State& state, at::Tensor&& tensor) {
  if (state.unused.empty()) {
    state.unused.push_back(static_cast<uint32_t>(state.slots.size()));
    state.slots.emplace_back();
  }
  const auto index = state.unused.back();
  state.unused.pop_back();
  auto& slot = state.slots[index];
  slot.tensor = std::move(tensor);
  if (slot.tensor.has_storage()) {
    const auto& storage = slot.tensor.storage();
    slot.storage = storage.unsafeGetStorageImpl();
    auto& usage = state.storages[slot.storage];
    if (usage.handles++ == 0) account(env, state, usage.bytes = static_cast<int64_t>(storage.nbytes()));
  }
  return idOf(index, slot.generation);
}

// Does nothing if the tensor was already freed.
void free(napi_env env, State& state, Id id) {
  auto& slot = state.slots[slotOf(id)];
  if (slot.generation != generationOf(id)) return;
  slot.tensor.reset();
  slot.generation++;
  state.unused.push_back(slotOf(id));
  if (!slot.storage) return;
  const auto found = state.storages.find(slot.storage);
  slot.storage = nullptr;
  if (--found->second.handles > 0) return;
  const auto bytes = found->second.bytes;
  state.storages.erase(found);
  account(env, state, -bytes);
}

void collectTensor(napi_env env, void* data, void*) { free(env, threadState, reinterpret_cast<Id>(data)); }

void collectGenerator(napi_env, void* data, void*) { delete static_cast<at::Generator*>(data); }

// Returns 0 if the value is not a tensor handle.
Id idIn(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok) return 0;
  const auto id = reinterpret_cast<Id>(data);
  return id & 1 ? id : 0;
}

}  // namespace

napi_value wrap(napi_env env, at::Tensor tensor) {
  if (!tensor.defined()) return null(env);
  auto& state = threadState;
  const auto id = hold(env, state, std::move(tensor));
  // A finalizer costs as much as a small operation; in a scope it is unnecessary.
  const bool inScope = !state.scopes.empty();
  napi_value result;
  const auto status = napi_create_external(env, reinterpret_cast<void*>(id), inScope ? nullptr : collectTensor, nullptr, &result);
  if (status != napi_ok) {
    free(env, state, id);
    check(env, status);
  }
  if (inScope) state.scopes.back().push_back(id);
  return result;
}

const at::Tensor* tensorOf(napi_env env, napi_value value) {
  const auto id = idIn(env, value);
  if (id == 0) return nullptr;
  const auto& slot = threadState.slots[slotOf(id)];
  if (slot.generation != generationOf(id)) throw std::runtime_error("tensor was freed");
  return &slot.tensor;
}

const at::Tensor& unwrap(napi_env env, napi_value value) {
  const auto* tensor = tensorOf(env, value);
  if (!tensor) throw std::runtime_error("expected a tensor");
  return *tensor;
}

napi_value wrapGenerator(napi_env env, at::Generator generator) {
  auto* box = new at::Generator(std::move(generator));
  napi_value result;
  check(env, napi_create_external(env, box, collectGenerator, nullptr, &result));
  return result;
}

const at::Generator* generatorOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok || reinterpret_cast<Id>(data) & 1) return nullptr;
  return static_cast<const at::Generator*>(data);
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

napi_value fromBytes(napi_env env, const Arguments& arguments) {
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

napi_value toBytes(napi_env env, const Arguments& arguments) { return bytesOf(env, unwrap(env, arguments[0])); }

napi_value shape(napi_env env, const Arguments& arguments) {
  const auto sizes = unwrap(env, arguments[0]).sizes();
  napi_value result;
  check(env, napi_create_array_with_length(env, sizes.size(), &result));
  for (size_t i = 0; i < sizes.size(); i++)
    check(env, napi_set_element(env, result, i, fromNumber(env, static_cast<double>(sizes[i]))));
  return result;
}

napi_value dtype(napi_env env, const Arguments& arguments) {
  return fromString(env, dtypeName(unwrap(env, arguments[0]).scalar_type()));
}

napi_value device(napi_env env, const Arguments& arguments) {
  return fromString(env, unwrap(env, arguments[0]).device().str());
}

napi_value release(napi_env env, const Arguments& arguments) {
  const auto id = idIn(env, arguments[0]);
  if (id == 0) throw std::runtime_error("expected a tensor");
  free(env, threadState, id);
  return nullptr;
}

napi_value scopeBegin(napi_env, const Arguments&) {
  threadState.scopes.emplace_back();
  return nullptr;
}

napi_value scopeEnd(napi_env env, const Arguments& arguments) {
  auto& state = threadState;
  if (state.scopes.empty()) throw std::runtime_error("scopeEnd without scopeBegin");
  uint32_t count = 0;
  if (napi_get_array_length(env, arguments[0], &count) != napi_ok) throw std::runtime_error("expected an array of tensors");
  std::vector<napi_value> keep(count);
  for (uint32_t i = 0; i < count; i++) {
    check(env, napi_get_element(env, arguments[0], i, &keep[i]));
    unwrap(env, keep[i]);
  }
  for (auto value : keep) state.slots[slotOf(idIn(env, value))].kept = true;
  const auto ids = std::move(state.scopes.back());
  state.scopes.pop_back();
  for (const auto id : ids) {
    if (!state.slots[slotOf(id)].kept) free(env, state, id);
    else if (!state.scopes.empty()) state.scopes.back().push_back(id);
  }
  for (auto value : keep) {
    const auto id = idIn(env, value);
    auto& slot = state.slots[slotOf(id)];
    if (slot.kept && state.scopes.empty())
      check(env, napi_add_finalizer(env, value, reinterpret_cast<void*>(id), collectTensor, nullptr, nullptr));
    slot.kept = false;
  }
  return nullptr;
}

napi_value liveTensors(napi_env env, const Arguments&) {
  const auto& state = threadState;
  napi_value result;
  check(env, napi_create_object(env, &result));
  setProperty(env, result, "count", fromNumber(env, static_cast<double>(state.slots.size() - state.unused.size())));
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
