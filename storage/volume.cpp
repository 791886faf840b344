#include "storage/volume.hpp"

#include "lib/secret/secret_buffer.hpp"

namespace lodge::storage {

std::string Volume::mapper_name() const {
    return "lodge-" + secret::pseudonym_of(uuid.to_string());
}

} // namespace lodge::storage
