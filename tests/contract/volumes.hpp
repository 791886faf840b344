#pragma once

#include "lib/kernel/fs.hpp"
#include "storage/volume.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

/// The guarantees of each volume driver for its callers (storage/volume.hpp). The fault tier runs
/// these tests on its fake, the kernel tier on each real driver. So results over the fake are valid
/// for the real drivers.
///
/// `Host` is a fixture that has, between its SetUp() and its TearDown(): `driver()`; `volume()` of
/// that driver, not made yet, whose directory exists; `kEncrypted`, whether its key matters;
/// `devices()`, the inventory; `hold()` and `let_go()`: another process has a device over the
/// image, or no longer; `leave_device()`: the state after a crash that left our device.
///
/// The refusal of a second open() takes a real driver twenty seconds, so only tests/kernel tests
/// it.
template <typename Host>
class VolumeContract : public Host {
  protected:
    void SetUp() override {
        Host::SetUp();
        if (!this->IsSkipped() && !this->HasFatalFailure()) {
            key_ = secret::SecretBuffer::random(storage::kVolumeKeySize).value();
        }
    }
    Result<storage::OpenVolume> create() { return this->driver().create(this->volume(), key_); }
    Result<storage::OpenVolume> open() { return this->driver().open(this->volume(), key_); }
    Status close() { return this->driver().close(this->volume()); }
    Status destroy() { return this->driver().destroy(this->volume()); }
    void make() {
        const auto made = create();
        ASSERT_TRUE(made) << made.error().to_string();
    }
    void expect_closes() {
        const Status closed = close();
        EXPECT_TRUE(closed) << closed.error().to_string();
    }
    bool is_listed() {
        const auto devices = this->devices();
        EXPECT_TRUE(devices) << devices.error().to_string();
        return devices && std::any_of(devices->begin(), devices->end(), [&](const auto& device) {
                   return device.label == this->volume().label();
               });
    }

    secret::SecretBuffer key_;
};

TYPED_TEST_SUITE_P(VolumeContract);

TYPED_TEST_P(VolumeContract, KeepsItsLayoutAndWhatWasWrittenAcrossCloseAndOpen) {
    {
        auto open = this->create();
        ASSERT_TRUE(open) << open.error().to_string();
        for (const char* part : {"data/upper", "data/work"}) {
            EXPECT_TRUE(kernel::open_directory_at(open->filesystem.get(), part)) << part;
        }
        const auto file =
            kernel::open_at(open->filesystem.get(), "data/upper/file", O_WRONLY | O_CREAT, 0600);
        ASSERT_TRUE(file) << file.error().to_string();
        ASSERT_TRUE(kernel::write_all(file->get(), "kept"));
    }
    this->expect_closes();
    {
        auto open = this->open();
        ASSERT_TRUE(open) << open.error().to_string();
        const auto file = kernel::open_at(open->filesystem.get(), "data/upper/file", O_RDONLY);
        ASSERT_TRUE(file) << file.error().to_string();
        EXPECT_EQ(kernel::read_all(file->get(), 100).value_or(""), "kept");
    }
    this->expect_closes();
}

TYPED_TEST_P(VolumeContract, RefusesASecondCreateAndLeavesTheFirst) {
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    const auto again = this->create();
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::already_exists) << again.error().to_string();
    EXPECT_TRUE(this->open());
    this->expect_closes();
}

TYPED_TEST_P(VolumeContract, RefusesAWrongKey) {
    if (!TestFixture::kEncrypted) {
        return; // it has none
    }
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    this->key_ = secret::SecretBuffer::random(storage::kVolumeKeySize).value();
    const auto open = this->open();
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().code(), ErrorCode::bad_key) << open.error().to_string();
    this->expect_closes();
}

TYPED_TEST_P(VolumeContract, IsListedWhileItIsOpen) {
    {
        const auto open = this->create();
        ASSERT_TRUE(open) << open.error().to_string();
        EXPECT_TRUE(this->is_listed());
        const Status destroyed = this->destroy();
        ASSERT_FALSE(destroyed) << "it is in use";
        EXPECT_EQ(destroyed.error().code(), ErrorCode::busy) << destroyed.error().to_string();
    }
    this->expect_closes();
    EXPECT_FALSE(this->is_listed());
}

TYPED_TEST_P(VolumeContract, ClosesAndDestroysWhatIsNotThere) {
    this->expect_closes();
    EXPECT_TRUE(this->destroy());
    const auto open = this->open();
    ASSERT_FALSE(open);
    EXPECT_EQ(open.error().sys_errno(), ENOENT) << open.error().to_string();
}

TYPED_TEST_P(VolumeContract, IsGoneOnceDestroyedAndCanBeMadeAgain) {
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    ASSERT_TRUE(this->destroy());
    EXPECT_NE(::access(this->volume().image_path().c_str(), F_OK), 0);
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
}

// The death of the process that has the volume open closes it.
TYPED_TEST_P(VolumeContract, LetsTheNextHolderSurviveACrashOfTheLast) {
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    const pid_t child = ::fork(); // this test has one thread
    if (child == 0) {
        const auto open = this->open();
        (void)::raise(open ? SIGKILL : SIGABRT);
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_TRUE(this->open());
    this->expect_closes();
}

TYPED_TEST_P(VolumeContract, ClosesTheDeviceThatACrashLeft) {
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    ASSERT_NO_FATAL_FAILURE(this->leave_device());
    EXPECT_TRUE(this->is_listed());
    this->expect_closes();
    EXPECT_FALSE(this->is_listed());
}

TYPED_TEST_P(VolumeContract, LeavesTheDeviceOfSomebodyElseAlone) {
    ASSERT_NO_FATAL_FAILURE(this->make());
    this->expect_closes();
    ASSERT_NO_FATAL_FAILURE(this->hold());
    const Status closed = this->close();
    ASSERT_FALSE(closed) << "it has the image";
    EXPECT_EQ(closed.error().code(), ErrorCode::busy) << closed.error().to_string();
    ASSERT_NO_FATAL_FAILURE(this->let_go());
    this->expect_closes();
    EXPECT_TRUE(this->open());
    this->expect_closes();
}

REGISTER_TYPED_TEST_SUITE_P(VolumeContract,
                            KeepsItsLayoutAndWhatWasWrittenAcrossCloseAndOpen,
                            RefusesASecondCreateAndLeavesTheFirst,
                            RefusesAWrongKey,
                            IsListedWhileItIsOpen,
                            ClosesAndDestroysWhatIsNotThere,
                            IsGoneOnceDestroyedAndCanBeMadeAgain,
                            LetsTheNextHolderSurviveACrashOfTheLast,
                            ClosesTheDeviceThatACrashLeft,
                            LeavesTheDeviceOfSomebodyElseAlone);

} // namespace lodge::test
