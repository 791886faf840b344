#pragma once

#include "templates/template_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge::test {

/// The guarantees of a store of templates for its callers (templates/template_store.hpp). The tests
/// run on the fault tier's fake and on the real one.
///
/// `Host` is a fixture that has `store()`, empty, and `import()`, which makes an image in it.
template <typename Host>
class TemplateContract : public Host {
  protected:
    void SetUp() override {
        Host::SetUp();
        if (this->IsSkipped() || this->HasFatalFailure()) {
            return;
        }
        const auto made = this->import();
        ASSERT_TRUE(made) << made.error().to_string();
        digest_ = made->digest;
    }
    void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
    // "NAME: TEXT" of each record.
    std::vector<std::string> records() {
        std::vector<std::string> all;
        const auto found = this->store().records();
        EXPECT_TRUE(found) << found.error().to_string();
        for (const templates::ImageRecord& record :
             found.value_or(std::vector<templates::ImageRecord>())) {
            EXPECT_EQ(record.digest, digest_);
            all.push_back(record.name + ": " + record.text);
        }
        return all;
    }

    std::string digest_;
};

TYPED_TEST_SUITE_P(TemplateContract);

TYPED_TEST_P(TemplateContract, ListsAnImageUntilItIsRemoved) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    templates::TemplateStore& store = this->store();
    EXPECT_THAT(store.list().value(), ElementsAre(this->digest_));
    EXPECT_THAT(store.works().value(), IsEmpty());
    this->expect_done(store.remove(this->digest_));
    EXPECT_THAT(store.list().value(), IsEmpty());
    EXPECT_FALSE(store.mount(this->digest_));
}

TYPED_TEST_P(TemplateContract, HasOneMountPointHoweverOftenItIsMounted) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    templates::TemplateStore& store = this->store();
    EXPECT_THAT(store.mount_points().value(), IsEmpty());
    for (int i = 0; i < 2; ++i) {
        const auto mounted = store.mount(this->digest_);
        ASSERT_TRUE(mounted) << mounted.error().to_string();
        EXPECT_THAT(store.mount_points().value(), ElementsAre(this->digest_));
    }
    this->expect_done(store.unmount(this->digest_));
    EXPECT_THAT(store.mount_points().value(), IsEmpty());
}

TYPED_TEST_P(TemplateContract, TakesWhatIsNotThereForDone) {
    templates::TemplateStore& store = this->store();
    this->expect_done(store.unmount(this->digest_));
    this->expect_done(store.remove_record(this->digest_, "nobody"));
    this->expect_done(store.discard("00000000-0000-4000-8000-000000000000"));
    this->expect_done(store.remove(this->digest_));
    this->expect_done(store.remove(this->digest_));
}

TYPED_TEST_P(TemplateContract, KeepsARecordForEachNameUntilTheImageGoes) {
    using ::testing::IsEmpty;
    using ::testing::UnorderedElementsAre;
    templates::TemplateStore& store = this->store();
    const std::string& digest = this->digest_;
    this->expect_done(store.put_record({.digest = digest, .name = "a", .text = "first"}));
    this->expect_done(store.put_record({.digest = digest, .name = "b", .text = "other"}));
    this->expect_done(store.put_record({.digest = digest, .name = "a", .text = "two\nlines"}));
    EXPECT_THAT(this->records(), UnorderedElementsAre("a: two\nlines", "b: other"));
    this->expect_done(store.remove_record(digest, "b"));
    EXPECT_THAT(this->records(), UnorderedElementsAre("a: two\nlines"));
    this->expect_done(store.remove(digest));
    EXPECT_THAT(this->records(), IsEmpty());
}

REGISTER_TYPED_TEST_SUITE_P(TemplateContract,
                            ListsAnImageUntilItIsRemoved,
                            HasOneMountPointHoweverOftenItIsMounted,
                            TakesWhatIsNotThereForDone,
                            KeepsARecordForEachNameUntilTheImageGoes);

} // namespace lodge::test
