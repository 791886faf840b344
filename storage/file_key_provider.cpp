#include "storage/key_file.hpp"
#include "storage/key_provider.hpp"
#include "storage/sealed_key.hpp"

#include <utility>

namespace lodge::storage {

namespace {

class FileKeyProvider final : public KeyProvider {
  public:
    explicit FileKeyProvider(std::string path)
        : file_{.path = std::move(path), .what = "the master key"} {}

    std::string name() const override { return "file"; }

    Status prepare() override {
        RETURN_IF_ERROR(with_context(make_key_file(file_), "make the master key"));
        return ready();
    }

    Status ready() override {
        RETURN_IF_ERROR(read_key_file(file_));
        return {};
    }

    Result<SealedKey> wrap(const KeyContext& context, const secret::SecretBuffer& key) override {
        ASSIGN_OR_RETURN(const secret::SecretBuffer master, read_key_file(file_));
        return wrap_with({.key = master, .provider = name()}, context, key);
    }

    Result<secret::SecretBuffer> unwrap(const KeyContext& context,
                                        std::string_view sealed) override {
        ASSIGN_OR_RETURN(const secret::SecretBuffer master, read_key_file(file_));
        return unwrap_with({.key = master, .provider = name()}, context, sealed);
    }

    Status check_early_authenticator(std::string_view text,
                                     std::string_view authenticator) override {
        ASSIGN_OR_RETURN(const secret::SecretBuffer master, read_key_file(file_));
        return secret::check_authenticator(master, text, authenticator);
    }

  private:
    KeyFile file_;
};

} // namespace

Status KeyProvider::check_early_authenticator(std::string_view /*text*/,
                                              std::string_view /*authenticator*/) {
    return fail(ErrorCode::bad_key,
                "an earlier release made the record, with a master key in a file; this host's keys "
                "come from '" +
                    name() + "'");
}

std::unique_ptr<KeyProvider> make_file_key_provider(std::string path) {
    return std::make_unique<FileKeyProvider>(std::move(path));
}

} // namespace lodge::storage
