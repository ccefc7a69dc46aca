// Collective operations on tensors across processes, by c10d
// over Gloo; libtorch does not ship Gloo's headers.
#include "addon.h"

#ifdef LIMPID_GLOO
#define USE_C10D_GLOO
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace limpid {

namespace {

#ifdef LIMPID_GLOO

c10::intrusive_ptr<c10d::ProcessGroupGloo> group;

c10d::ProcessGroupGloo& currentGroup() {
  if (!group) throw std::runtime_error("expected a process in a group; call joinGroup first");
  return *group;
}

napi_value joinGroup(napi_env env, const Arguments& arguments) {
  const auto rank = static_cast<int>(toInteger(env, arguments[2]));
  const auto size = static_cast<int>(toInteger(env, arguments[3]));
  const auto option = [&](const char* name) {
    napi_value value;
    check(env, napi_get_named_property(env, arguments[4], name, &value));
    return value;
  };
  c10d::TCPStoreOptions meeting;
  meeting.port = static_cast<std::uint16_t>(toInteger(env, arguments[1]));
  meeting.isServer = toBool(env, option("listens"));
  meeting.numWorkers = size;
  meeting.waitWorkers = false;
  meeting.timeout = std::chrono::milliseconds(toInteger(env, option("meetingMs")));
  auto store = c10::make_intrusive<c10d::PrefixStore>(
      toString(env, option("name")), c10::make_intrusive<c10d::TCPStore>(toString(env, arguments[0]), meeting));
  // Joining has a timeout of its own; later exchanges wait as long as another process may work.
  auto options = c10d::ProcessGroupGloo::Options::create(meeting.timeout);
  const auto network = toString(env, option("network"));
  options->devices.push_back(network.empty() ? c10d::ProcessGroupGloo::createDefaultDevice()
                                             : c10d::ProcessGroupGloo::createDeviceForInterface(network));
  group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  group->setTimeout(std::chrono::milliseconds(toInteger(env, option("waitingMs"))));
  return nullptr;
}

napi_value leaveGroup(napi_env, const Arguments&) {
  group.reset();
  return nullptr;
}

napi_value sumAcross(napi_env env, const Arguments& arguments) {
  std::vector<at::Tensor> tensors{unwrap(env, arguments[0])};
  currentGroup().allreduce(tensors)->wait();
  return nullptr;
}

napi_value collectAcross(napi_env env, const Arguments& arguments) {
  std::vector<at::Tensor> own{unwrap(env, arguments[0]).contiguous()};
  std::vector<std::vector<at::Tensor>> all(1);
  for (int i = 0; i < currentGroup().getSize(); i++) all[0].push_back(at::empty_like(own[0]));
  currentGroup().allgather(all, own)->wait();
  return wrap(env, at::cat(all[0]));
}

#else

napi_value joinGroup(napi_env, const Arguments&) {
  throw std::runtime_error(
      "this addon was built without Gloo's headers; install them (Debian: apt install libgloo-dev), then run `limpid setup`");
}

#endif

}  // namespace

void registerDistributed(napi_env env, napi_value exports) {
  addFunction(env, exports, "joinGroup", guarded<joinGroup>);
#ifdef LIMPID_GLOO
  addFunction(env, exports, "leaveGroup", guarded<leaveGroup>);
  addFunction(env, exports, "sumAcross", guarded<sumAcross>);
  addFunction(env, exports, "collectAcross", guarded<collectAcross>);
#endif
}

}  // namespace limpid
