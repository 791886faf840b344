#include "storage/volume.hpp"

#include "lib/secret/secret_buffer.hpp"
#include "storage/drivers.hpp"

namespace lodge::storage {

std::string Volume::mapper_name() const {
    return "lodge-" + secret::pseudonym_of(uuid.to_string());
}

std::unique_ptr<VolumeDriver> make_driver(model::Encryption encryption) {
    switch (encryption) {
    case model::Encryption::luks2:
        return make_luks2_driver();
    case model::Encryption::fscrypt:
        return make_fscrypt_driver();
    case model::Encryption::none:
        break;
    }
    return make_plain_driver();
}

} // namespace lodge::storage
