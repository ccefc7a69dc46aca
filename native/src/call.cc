// The boxed call: JavaScript arguments become what the operator's own schema asks for, results become handles or values.
#include "addon.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <cmath>
#include <deque>
#include <unordered_map>
#include <vector>

namespace limpid {
namespace {

enum class Kind : uint8_t { tensor, integer, real, boolean, scalar, string, dtype, layout, memoryFormat, device, generator, unsupported };

struct Parameter {
  const c10::Argument* argument;
  Kind kind;
  bool isList = false;
  bool isOptional = false;
  bool hasOptionalElements = false;
};

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Parameter> parameters;
};

// One JavaScript environment runs on one thread; `call` never runs within `call`, so one stack serves all.
struct State {
  std::deque<Operator> operators;
  std::unordered_map<std::string, uint32_t> indices;
  torch::jit::Stack stack;
};

thread_local State threadState;

Kind kindOf(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType: return Kind::tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::integer;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType: return Kind::real;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType: return Kind::boolean;
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
  Parameter parameter{&argument, Kind::unsupported};
  auto type = argument.real_type();
  if (const auto optional = type->cast<c10::OptionalType>()) {
    parameter.isOptional = true;
    type = optional->getElementType();
  }
  if (const auto list = type->cast<c10::ListType>()) {
    parameter.isList = true;
    type = list->getElementType();
    if (const auto optional = type->cast<c10::OptionalType>()) {
      parameter.hasOptionalElements = true;
      type = optional->getElementType();
    }
  }
  parameter.kind = kindOf(*type);
  return parameter;
}

napi_value resolve(napi_env env, const Arguments& arguments) {
  const auto name = toString(env, arguments[0]), overload = toString(env, arguments[1]);
  const auto key = name + "." + overload;
  auto& [operators, indices, stack] = threadState;
  if (const auto found = indices.find(key); found != indices.end()) return fromNumber(env, found->second);
  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!handle) throw std::runtime_error("libtorch " LIMPID_TORCH_VERSION " has no operator '" + (overload.empty() ? name : key) + "'");
  const auto index = static_cast<uint32_t>(operators.size());
  auto& added = operators.emplace_back(Operator{*handle, {}});
  for (const auto& argument : handle->schema().arguments()) added.parameters.push_back(describe(argument));
  indices.emplace(key, index);
  return fromNumber(env, index);
}

std::string describeValue(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  bool isArray = false;
  switch (type) {
    case napi_undefined: return "nothing";
    case napi_null: return "null";
    case napi_boolean: return toBool(env, value) ? "true" : "false";
    case napi_string: return "'" + toString(env, value) + "'";
    case napi_external: return generatorOf(env, value) ? "a generator" : "a tensor";
    case napi_function: return "a function";
    case napi_number: {
      napi_value text;
      check(env, napi_coerce_to_string(env, value, &text));
      return toString(env, text);
    }
    default: check(env, napi_is_array(env, value, &isArray));
  }
  return isArray ? "an array" : type == napi_bigint ? "a bigint" : "an object";
}

bool isIntegral(double number) {
  return std::trunc(number) == number && std::abs(number) <= 9007199254740992.0 && !(number == 0 && std::signbit(number));
}

bool readInteger(napi_env env, napi_value value, int64_t& result) {
  double number = 0;
  bool lossless = false;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    return napi_get_value_bigint_int64(env, value, &result, &lossless) == napi_ok && lossless;
  result = static_cast<int64_t>(number);
  return number == 0 || isIntegral(number);
}

bool readScalar(napi_env env, napi_value value, c10::IValue& result) {
  double number = 0;
  int64_t integer = 0;
  bool flag = false;
  if (napi_get_value_double(env, value, &number) == napi_ok) {
    // As in Python, 2 leaves an integer tensor an integer tensor and 2.5 does not.
    if (isIntegral(number)) result = static_cast<int64_t>(number);
    else result = number;
    return true;
  }
  if (napi_get_value_bool(env, value, &flag) == napi_ok) return result = flag, true;
  return readInteger(env, value, integer) && (result = integer, true);
}

template <size_t size>
bool readName(napi_env env, napi_value value, const char* const (&names)[size], c10::IValue& result) {
  int64_t number = 0;
  if (readInteger(env, value, number)) return result = number, true;
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  if (type != napi_string) return false;
  const auto name = toString(env, value);
  for (size_t i = 0; i < size; i++)
    if (name == names[i]) return result = static_cast<int64_t>(i), true;
  return false;
}

bool isString(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == napi_string;
}

constexpr const char* layouts[] = {"strided"};
constexpr const char* memoryFormats[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};

// False when the value is of another type.
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
    case Kind::layout: return readName(env, value, layouts, result);
    case Kind::memoryFormat: return readName(env, value, memoryFormats, result);
    case Kind::device: return isString(env, value) && (result = toDevice(toString(env, value)), true);
    case Kind::generator: {
      const auto* generator = generatorOf(env, value);
      return generator && (result = *generator, true);
    }
    case Kind::unsupported: return false;
  }
  return false;
}

template <class Element, class Read>
c10::IValue readList(napi_env env, napi_value array, uint32_t length, int64_t& bad, c10::List<Element> list, Read read) {
  list.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    check(env, napi_get_element(env, array, i, &value));
    Element element{};
    if (!read(value, element)) {
      bad = i;
      return {};
    }
    list.push_back(std::move(element));
  }
  return list;
}

c10::IValue readArray(napi_env env, napi_value array, uint32_t length, const Parameter& parameter, int64_t& bad) {
  switch (parameter.kind) {
    case Kind::scalar:
      return readList(env, array, length, bad, c10::impl::GenericList(c10::NumberType::get()), [env](napi_value value, c10::IValue& to) { return readScalar(env, value, to); });
    case Kind::integer:
      return readList(env, array, length, bad, c10::List<int64_t>(), [env](napi_value value, int64_t& to) { return readInteger(env, value, to); });
    case Kind::real:
      return readList(env, array, length, bad, c10::List<double>(), [env](napi_value value, double& to) { return napi_get_value_double(env, value, &to) == napi_ok; });
    case Kind::boolean:
      return readList(env, array, length, bad, c10::List<bool>(), [env](napi_value value, bool& to) { return napi_get_value_bool(env, value, &to) == napi_ok; });
    case Kind::tensor:
      if (parameter.hasOptionalElements)
        return readList(env, array, length, bad, c10::List<std::optional<at::Tensor>>(), [env](napi_value value, std::optional<at::Tensor>& to) {
          if (const auto* tensor = tensorOf(env, value)) return to = *tensor, true;
          return isNullish(env, value);
        });
      return readList(env, array, length, bad, c10::List<at::Tensor>(), [env](napi_value value, at::Tensor& to) {
        const auto* tensor = tensorOf(env, value);
        return tensor && (to = *tensor, true);
      });
    default: bad = 0; return {};
  }
}

// A list of fixed size may be given as one number, as in Python: stride 2 for stride [2, 2].
bool readRepeated(napi_env env, napi_value value, const Parameter& parameter, c10::IValue& result) {
  if (!parameter.argument->N() || !read(env, value, parameter.kind, result)) return false;
  const auto size = static_cast<size_t>(*parameter.argument->N());
  switch (parameter.kind) {
    case Kind::integer: result = std::vector<int64_t>(size, result.toInt()); return true;
    case Kind::real: result = std::vector<double>(size, result.toDouble()); return true;
    default: return false;
  }
}

std::string expectation(const c10::Argument& argument) {
  const auto type = argument.real_type()->str();
  return "expected " + (argument.N() ? type + " of " + std::to_string(*argument.N()) : type);
}

// The order tries what is most frequent first: a value of the right type costs no question about its type.
void readArgument(napi_env env, napi_value value, const Parameter& parameter, c10::IValue& result) {
  const auto& argument = *parameter.argument;
  uint32_t length = 0;
  int64_t bad = -1;
  if (!parameter.isList) {
    if (read(env, value, parameter.kind, result)) return;
  } else if (napi_get_array_length(env, value, &length) == napi_ok) {
    result = readArray(env, value, length, parameter, bad);
    if (bad < 0) return;
    napi_value element;
    check(env, napi_get_element(env, value, static_cast<uint32_t>(bad), &element));
    throw std::runtime_error(expectation(argument) + ", got an array with " + describeValue(env, element) + " at index " + std::to_string(bad));
  } else if (readRepeated(env, value, parameter, result)) {
    return;
  }
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  result = c10::IValue();
  if (type == napi_null && parameter.isOptional) return;
  if (type != napi_undefined || !argument.default_value())
    throw std::runtime_error(expectation(argument) + ", got " + describeValue(env, value));
  result = *argument.default_value();
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

void pushDefault(const Operator& op, const Parameter& parameter, torch::jit::Stack& stack) {
  const auto& argument = *parameter.argument;
  if (!argument.default_value())
    throw std::runtime_error(toString(op.handle.operator_name()) + ": argument '" + argument.name() + "': " + expectation(argument) + ", got nothing");
  stack.push_back(*argument.default_value());
}

napi_value fromValue(napi_env env, c10::IValue value) {
  if (value.isTensor()) return wrap(env, std::move(value).toTensor());
  if (value.isNone()) return null(env);
  if (value.isInt()) return fromNumber(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return fromNumber(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isDevice()) return fromString(env, value.toDevice().str());
  if (!value.isList()) throw std::runtime_error("a result of type " + value.tagKind() + " has no counterpart in JavaScript");
  const auto list = value.toListRef();
  napi_value array;
  check(env, napi_create_array_with_length(env, list.size(), &array));
  for (size_t i = 0; i < list.size(); i++) check(env, napi_set_element(env, array, i, fromValue(env, list[i])));
  return array;
}

napi_value results(napi_env env, torch::jit::Stack& stack) {
  if (stack.size() == 1) return fromValue(env, std::move(stack[0]));
  if (stack.empty()) return null(env);
  napi_value array;
  check(env, napi_create_array_with_length(env, stack.size(), &array));
  for (size_t i = 0; i < stack.size(); i++) check(env, napi_set_element(env, array, i, fromValue(env, std::move(stack[i]))));
  return array;
}

struct ClearStack {
  torch::jit::Stack& stack;
  ~ClearStack() { stack.clear(); }
};

napi_value call(napi_env env, const Arguments& arguments) {
  auto& [operators, indices, stack] = threadState;
  uint32_t index = 0;
  if (napi_get_value_uint32(env, arguments[0], &index) != napi_ok || index >= operators.size())
    throw std::runtime_error("expected an operator from resolve");
  const auto& op = operators[index];
  const auto expected = op.parameters.size(), count = arguments.count - 1;
  if (count > expected)
    throw std::runtime_error(toString(op.handle.operator_name()) + ": expected at most " + std::to_string(expected) + " arguments, got " + std::to_string(count));
  const ClearStack clearStack{stack};
  for (size_t i = 0; i < count; i++) pushArgument(env, arguments[i + 1], op, op.parameters[i], stack);
  for (size_t i = count; i < expected; i++) pushDefault(op, op.parameters[i], stack);
  op.handle.callBoxed(stack);
  return results(env, stack);
}

}  // namespace

void registerCall(napi_env env, napi_value exports) {
  addFunction(env, exports, "resolve", guarded<resolve>);
  addFunction(env, exports, "call", guarded<call>);
}

}  // namespace limpid
