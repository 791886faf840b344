// The real database is held to what that of tests/fault is.
#include "tests/contract/database.hpp"

#include <memory>

namespace lodge::test {

namespace {

class RealDatabase : public ::testing::Test {
  protected:
    db::Database& database() { return *database_; }

  private:
    TempDir directory_;
    std::unique_ptr<db::Database> database_ =
        db::open_database(directory_.path() + "/test.db",
                          DatabaseContract<RealDatabase>::kMigrations)
            .value();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, DatabaseContract, RealDatabase);

} // namespace

} // namespace lodge::test
