#include "tests/fuzz/replay.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace lodge::test {

namespace {

// Gives a fuzz target every input of its corpus. A finding ends the program, as under libFuzzer:
// the name of the input is printed before.
class Replay : public ::testing::Test {
  public:
    explicit Replay(FuzzTarget target) : target_(std::move(target)) {}

  private:
    void TestBody() override {
        const std::filesystem::path corpus =
            std::filesystem::path(LODGE_SOURCE_DIR) / "tests/fuzz/corpus" / target_.name;
        int inputs = 0;
        for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string input{std::istreambuf_iterator<char>(file), {}};
            std::printf("%s\n", entry.path().filename().c_str());
            (void)std::fflush(stdout);
            const std::vector<std::uint8_t> bytes(input.begin(), input.end());
            EXPECT_EQ(target_.run(bytes.data(), bytes.size()), 0) << entry.path();
            ++inputs;
        }
        EXPECT_GT(inputs, 0) << "no corpus in " << corpus;
    }

    FuzzTarget target_;
};

} // namespace

} // namespace lodge::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    for (const lodge::test::FuzzTarget& target : lodge::test::fuzz_targets()) {
        ::testing::RegisterTest(
            "FuzzCorpus",
            target.name.c_str(),
            nullptr,
            nullptr,
            __FILE__,
            __LINE__,
            [target]() -> ::testing::Test* { return new lodge::test::Replay(target); });
    }
    return RUN_ALL_TESTS();
}
