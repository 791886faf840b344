// Runs the contract of volumes on the fake ones. For the real ones:
// tests/kernel/volume_contract_test.cpp.
#include "tests/contract/volumes.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace lodge::test {

namespace {

class FakeVolumes : public ::testing::Test {
  protected:
    static constexpr bool kEncrypted = true;

    void SetUp() override { std::filesystem::create_directory(volume_.directory); }
    storage::VolumeDriver& driver() { return *driver_; }
    const storage::Volume& volume() { return volume_; }
    Result<std::vector<storage::BlockDevice>> devices() {
        return fake_devices(world_, directory_.path());
    }
    void hold() { insert("holder of "); }
    void let_go() {
        world_.happen(
            [&](Things& things) { things.erase("holder of " + volume_.uuid.to_string()); });
    }
    void leave_device() { insert("loop "); }

  private:
    void insert(const std::string& what) {
        world_.happen([&](Things& things) { things.insert(what + volume_.uuid.to_string()); });
    }

    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<storage::VolumeDriver> driver_ = fake_volumes(world_);
    const Uuid uuid_ = Uuid::generate().value();
    storage::Volume volume_{.uuid = uuid_,
                            .directory = directory_.path() + "/" + uuid_.to_string()};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, VolumeContract, FakeVolumes);

} // namespace

} // namespace lodge::test
