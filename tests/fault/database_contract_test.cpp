// Runs the contract of the database on that of the fault tier.
#include "tests/contract/database.hpp"
#include "tests/fault/fakes.hpp"

#include <memory>

namespace lodge::test {

namespace {

class DatabaseWithFaults : public ::testing::Test {
  protected:
    db::Database& database() { return *faulty_; }

  private:
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<db::Database> real_ =
        db::open_database(directory_.path() + "/real.db",
                          DatabaseContract<DatabaseWithFaults>::kMigrations)
            .value();
    std::unique_ptr<db::Database> faulty_ = faulty(world_, *real_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Faulty, DatabaseContract, DatabaseWithFaults);

} // namespace

} // namespace lodge::test
