#include "daemon/records/host_key.hpp"

#include "storage/key_file.hpp"

namespace lodge::daemon {

namespace {

storage::KeyFile host_key_file(const Settings& settings) {
    return {.path = settings.host_key_path(), .what = "the host's key"};
}

} // namespace

Result<secret::SecretBuffer> read_host_key(const Settings& settings) {
    return storage::read_key_file(host_key_file(settings));
}

Result<bool> make_host_key(const Settings& settings) {
    const storage::KeyFile file = host_key_file(settings);
    const auto there = storage::read_key_file(file);
    if (there || there.error().code() != ErrorCode::not_found) {
        return there ? Result<bool>(false) : std::unexpected<Error>(there.error());
    }
    RETURN_IF_ERROR(with_context(storage::make_key_file(file), "make the host's key"));
    return true;
}

} // namespace lodge::daemon
