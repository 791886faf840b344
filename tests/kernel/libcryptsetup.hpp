#pragma once

#include "lib/kernel/fs.hpp"
#include "storage/volume.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::test {

/// libcryptsetup opens /dev/random and /dev/urandom when it is first used and keeps them: before
/// the leak check's first look, then.
inline void warm_up_libcryptsetup() {
    const TempDir directory;
    const storage::Volume nothing{.uuid = Uuid::generate().value(),
                                  .directory = directory.path(),
                                  .bytes = std::uint64_t{4} << 20,
                                  .encryption = model::Encryption::luks2};
    const auto image = kernel::open_file(nothing.image_path(), O_WRONLY | O_CREAT, 0600).value();
    ASSERT_EQ(::ftruncate(image.get(), off_t{4} << 20), 0);
    const auto driver = storage::make_driver(model::Encryption::luks2);
    EXPECT_FALSE(
        driver->open(nothing, secret::SecretBuffer::random(storage::kVolumeKeySize).value()));
    EXPECT_TRUE(driver->close(nothing));
}

} // namespace lodge::test
