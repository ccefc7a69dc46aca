// The boxed call: converts JavaScript arguments to the types in the operator's schema,
// and results to handles or values.
#include "addon.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <unordered_map>
#include <vector>

namespace limpid {
namespace {

enum class Kind : uint8_t {
  tensor, integer, real, boolean, scalar, string, dtype, layout, memoryFormat, device, generator, unsupported
};

struct Parameter {
  const c10::Argument* argument;
  Kind kind;
  c10::TypePtr element;  // of a list, else null
  bool isOptional = false;
  bool hasOptionalElements = false;
};

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Parameter> parameters;
};

// A JavaScript environment runs on one thread, and `call` is not reentrant, so one stack is enough.
struct State {
  std::deque<Operator> operators;
  std::unordered_map<std::string, uint32_t> indices;
  torch::jit::Stack stack;
};

thread_local State threadState;

Kind kindOf(c10::TypeKind type) {
  switch (type) {
    case c10::TypeKind::TensorType: return Kind::tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::integer;
    case c10::TypeKind::FloatType: return Kind::real;
    case c10::TypeKind::BoolType: return Kind::boolean;
    case c10::TypeKind::NumberType: return Kind::scalar;
    case c10::TypeKind::StringType: return Kind::string;
    case c10::TypeKind::ScalarTypeType: return Kind::dtype;
    case c10::TypeKind::LayoutType: return Kind::layout;
    case c10::TypeKind::MemoryFormatType: return Kind::memoryFormat;
    case c10::TypeKind::DeviceObjType: return Kind::device;
    case c10::TypeKind::GeneratorType: return Kind::generator;
    default: return Kind::unsupported;
  }
}

Parameter describe(const c10::Argument& argument) {
  Parameter parameter{&argument, Kind::unsupported, nullptr};
  auto type = argument.real_type();
  const auto unwrapOptional = [&type] {
    const auto optional = type->cast<c10::OptionalType>();
    if (optional) type = optional->getElementType();
    return optional != nullptr;
  };
  parameter.isOptional = unwrapOptional();
  if (const auto list = type->cast<c10::ListType>()) {
    // Kernels accept plain integers for symbolic ones; all of ours are plain.
    parameter.element = type = list->getElementType();
    if (type->kind() == c10::TypeKind::SymIntType) parameter.element = c10::IntType::get();
    parameter.hasOptionalElements = unwrapOptional();
  }
  parameter.kind = kindOf(type->kind());
  return parameter;
}

napi_value resolve(napi_env env, const Arguments& arguments) {
  const auto name = toString(env, arguments[0]), overload = toString(env, arguments[1]);
  const auto key = name + "." + overload;
  auto& [operators, indices, stack] = threadState;
  if (const auto found = indices.find(key); found != indices.end()) return fromNumber(env, found->second);

  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle)
    throw std::runtime_error("libtorch " LIMPID_TORCH_VERSION " has no operator '" + (overload.empty() ? name : key) + "'");
  const auto index = static_cast<uint32_t>(operators.size());
  auto& added = operators.emplace_back(Operator{*handle, {}});
  for (const auto& argument : handle->schema().arguments()) added.parameters.push_back(describe(argument));
  indices.emplace(key, index);
  return fromNumber(env, index);
}

std::string describeValue(napi_env env, napi_value value) {
  bool isArray = false;
  switch (typeOf(env, value)) {
    case napi_undefined: return "nothing";
    case napi_null: return "null";
    case napi_boolean: return toBool(env, value) ? "true" : "false";
    case napi_string: return "'" + toString(env, value) + "'";
    case napi_external: return generatorOf(env, value) ? "a generator" : "a tensor";
    case napi_bigint: return "a bigint";
    case napi_number: {
      napi_value text;
      check(env, napi_coerce_to_string(env, value, &text));
      return toString(env, text);
    }
    default: check(env, napi_is_array(env, value, &isArray));
  }
  return isArray ? "an array" : "an object";
}

bool isIntegral(double number) { return std::trunc(number) == number && std::abs(number) <= 0x1p53; }

bool readInteger(napi_env env, napi_value value, int64_t& result) {
  double number = 0;
  bool lossless = false;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    return napi_get_value_bigint_int64(env, value, &result, &lossless) == napi_ok && lossless;
  result = static_cast<int64_t>(number);
  return isIntegral(number);
}

// As in Python, 2 keeps an integer tensor integer and 2.5 does not.
bool readScalar(napi_env env, napi_value value, c10::IValue& result) {
  double number = 0;
  int64_t integer = 0;
  bool flag = false;
  const bool isNumber = napi_get_value_double(env, value, &number) == napi_ok;
  const bool isNegativeZero = number == 0 && std::signbit(number);
  if (isNumber && (!isIntegral(number) || isNegativeZero)) return result = number, true;
  if (readInteger(env, value, integer)) return result = integer, true;
  return napi_get_value_bool(env, value, &flag) == napi_ok && (result = flag, true);
}

bool isString(napi_env env, napi_value value) { return typeOf(env, value) == napi_string; }

// Reads a libtorch enumeration, by number or name.
bool readName(napi_env env, napi_value value, std::initializer_list<const char*> names, c10::IValue& result) {
  int64_t number = 0;
  if (readInteger(env, value, number)) return result = number, true;
  if (!isString(env, value)) return false;
  const auto found = std::find(names.begin(), names.end(), toString(env, value));
  return found != names.end() && (result = static_cast<int64_t>(found - names.begin()), true);
}

// Returns false if the value has another type.
bool read(napi_env env, napi_value value, Kind kind, c10::IValue& result) {
  int64_t integer = 0;
  double real = 0;
  bool flag = false;
  switch (kind) {
    case Kind::tensor: {
      const auto* tensor = tensorOf(env, value);
      return tensor && (result = *tensor, true);
    }
    case Kind::integer: return readInteger(env, value, integer) && (result = integer, true);
    case Kind::real: return napi_get_value_double(env, value, &real) == napi_ok && (result = real, true);
    case Kind::boolean: return napi_get_value_bool(env, value, &flag) == napi_ok && (result = flag, true);
    case Kind::scalar: return readScalar(env, value, result);
    case Kind::string: return isString(env, value) && (result = toString(env, value), true);
    case Kind::dtype:
      if (isString(env, value)) return result = static_cast<int64_t>(toScalarType(toString(env, value))), true;
      return readInteger(env, value, integer) && (result = integer, true);
    case Kind::layout: return readName(env, value, {"strided"}, result);
    case Kind::memoryFormat:
      return readName(env, value, {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"}, result);
    case Kind::device: return isString(env, value) && (result = toDevice(toString(env, value)), true);
    case Kind::generator: {
      const auto* generator = generatorOf(env, value);
      return generator && (result = *generator, true);
    }
    case Kind::unsupported: return false;
  }
  return false;
}

std::runtime_error mismatch(const c10::Argument& argument, const std::string& got) {
  const auto type = argument.real_type()->str();
  return std::runtime_error("expected " + type + (argument.N() ? " of " + std::to_string(*argument.N()) : "") + ", got " + got);
}

void readList(napi_env env, napi_value array, uint32_t length, const Parameter& parameter, c10::IValue& result) {
  c10::impl::GenericList list(parameter.element);
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    check(env, napi_get_element(env, array, i, &value));
    c10::IValue element;
    if (!read(env, value, parameter.kind, element) && !(parameter.hasOptionalElements && isNullish(env, value)))
      throw mismatch(*parameter.argument, "an array with " + describeValue(env, value) + " at index " + std::to_string(i));
    list.push_back(std::move(element));
  }
  result = std::move(list);
}

// Expands one number to a list of fixed size, as in Python: stride 2 means stride [2, 2].
bool readRepeated(napi_env env, napi_value value, const Parameter& parameter, c10::IValue& result) {
  c10::IValue element;
  if (!parameter.argument->N() || !read(env, value, parameter.kind, element)) return false;
  c10::impl::GenericList list(parameter.element);
  list.resize(static_cast<size_t>(*parameter.argument->N()), element);
  result = std::move(list);
  return true;
}

// Tries the common case first, so that a value of the right type needs no type check.
void readArgument(napi_env env, napi_value value, const Parameter& parameter, c10::IValue& result) {
  const auto& argument = *parameter.argument;
  uint32_t length = 0;
  if (!parameter.element) {
    if (read(env, value, parameter.kind, result)) return;
  } else if (napi_get_array_length(env, value, &length) == napi_ok) {
    return readList(env, value, length, parameter, result);
  } else if (readRepeated(env, value, parameter, result)) {
    return;
  }
  const auto type = typeOf(env, value);
  if (type == napi_null && parameter.isOptional) result = c10::IValue();
  else if (type == napi_undefined && argument.default_value()) result = *argument.default_value();
  else throw mismatch(argument, describeValue(env, value));
}

void pushArgument(napi_env env, napi_value value, const Operator& op, const Parameter& parameter, torch::jit::Stack& stack) {
  const auto where = [&] { return toString(op.handle.operator_name()) + ": argument '" + parameter.argument->name() + "': "; };
  try {
    readArgument(env, value, parameter, stack.emplace_back());
  } catch (const c10::Error& error) {
    throw std::runtime_error(where() + error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw std::runtime_error(where() + error.what());
  }
}

napi_value fromValue(napi_env env, c10::IValue value);

napi_value fromValues(napi_env env, c10::ArrayRef<c10::IValue> values) {
  napi_value array;
  check(env, napi_create_array_with_length(env, values.size(), &array));
  for (size_t i = 0; i < values.size(); i++) check(env, napi_set_element(env, array, i, fromValue(env, values[i])));
  return array;
}

napi_value fromValue(napi_env env, c10::IValue value) {
  if (value.isTensor()) return wrap(env, std::move(value).toTensor());
  if (value.isNone()) return null(env);
  if (value.isInt()) return fromNumber(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return fromNumber(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isDevice()) return fromString(env, value.toDevice().str());
  if (value.isList()) return fromValues(env, value.toListRef());
  throw std::runtime_error("a result of type " + value.tagKind() + " has no counterpart in JavaScript");
}

struct ClearStack {
  torch::jit::Stack& stack;
  ~ClearStack() { stack.clear(); }
};

napi_value call(napi_env env, const Arguments& arguments) {
  auto& [operators, indices, stack] = threadState;
  uint32_t index = 0;
  if (napi_get_value_uint32(env, arguments[0], &index) != napi_ok || index >= operators.size())
    throw std::runtime_error("expected an operator id from resolve");
  const auto& op = operators[index];
  const auto expected = op.parameters.size(), count = arguments.count - 1;
  if (count > expected)
    throw std::runtime_error(toString(op.handle.operator_name()) + ": expected at most " + std::to_string(expected) +
                             " arguments, got " + std::to_string(count));
  const ClearStack clearStack{stack};
  for (size_t i = 0; i < expected; i++) {
    const auto& parameter = op.parameters[i];
    const auto& defaultValue = parameter.argument->default_value();
    if (i >= count && defaultValue) stack.push_back(*defaultValue);
    else pushArgument(env, arguments[i + 1], op, parameter, stack);
  }
  op.handle.callBoxed(stack);
  if (stack.empty()) return null(env);
  return stack.size() == 1 ? fromValue(env, std::move(stack[0])) : fromValues(env, stack);
}

}  // namespace

void registerCall(napi_env env, napi_value exports) {
  addFunction(env, exports, "resolve", guarded<resolve>);
  addFunction(env, exports, "call", guarded<call>);
}

}  // namespace limpid
