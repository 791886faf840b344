// How a request is taken from its connection: as its bytes come, in whatever pieces.
#include "daemon/api/body.hpp"
#include "daemon/api/incoming.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {
namespace {

using State = BodyDecoder::State;

const std::string kChunked = "4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\nTrailer: of no use\r\n\r\n";

struct Taken {
    State state = State::partial;
    std::string content;
    std::string left;
};

// In two pieces, the second of which begins at `at`.
Taken take(BodyDecoder decoder, const std::string& bytes, std::size_t at) {
    Taken taken;
    taken.left = bytes.substr(0, at);
    (void)decoder.take(taken.left, taken.content);
    taken.left += bytes.substr(at);
    taken.state = decoder.take(taken.left, taken.content);
    return taken;
}

TEST(RequestBody, IsTheSameInWhateverPiecesItComes) {
    for (std::size_t at = 0; at <= kChunked.size(); ++at) {
        const Taken taken = take(BodyDecoder::of_chunks(), kChunked + "more", at);
        EXPECT_EQ(taken.state, State::whole) << at;
        EXPECT_EQ(taken.content, "{\"a\":1}") << at;
        EXPECT_EQ(taken.left, "more") << at;
    }
    for (std::size_t at = 0; at <= 5; ++at) {
        const Taken taken = take(BodyDecoder::of_length(5), "12345more", at);
        EXPECT_EQ(taken.state, State::whole) << at;
        EXPECT_EQ(taken.content, "12345") << at;
        EXPECT_EQ(taken.left, "more") << at;
    }
}

TEST(RequestBody, IsWholeWithItsLastByteAndNotBefore) {
    for (std::size_t size = 0; size < kChunked.size(); ++size) {
        EXPECT_EQ(take(BodyDecoder::of_chunks(), kChunked.substr(0, size), 0).state, State::partial)
            << size;
    }
    EXPECT_EQ(take(BodyDecoder::of_length(5), "1234", 0).state, State::partial);
    EXPECT_EQ(BodyDecoder::of_length(0).state(), State::whole);
    EXPECT_EQ(BodyDecoder().state(), State::whole);
}

TEST(RequestBody, TellsWhatIsNotChunkedAsItShouldBe) {
    for (const std::string& bytes :
         {std::string("x\r\n"),
          std::string("\r\n"),
          std::string("-1\r\nabc"),
          std::string("0x3\r\nabc\r\n"),
          std::string("3xyz\r\n"),
          std::string("fffffffffffffffff\r\n"),
          std::string("3\r\nabcd\r\n"),
          std::string(4096, '1'),
          "0\r\n" + std::string(100, 'a') + "\r\n" + std::string(9000, 'b') + "\r\n\r\n"}) {
        EXPECT_EQ(take(BodyDecoder::of_chunks(), bytes, 0).state, State::broken)
            << bytes.substr(0, 40);
    }
}

class IncomingTest : public ::testing::Test {
  protected:
    IncomingTest() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        client_ = UniqueFd(ends[0]);
        incoming_.emplace(UniqueFd(ends[1]));
    }
    bool say(std::string_view bytes) {
        EXPECT_EQ(::write(client_.get(), bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
        return incoming_->read();
    }
    bool hang_up() {
        client_.reset();
        return incoming_->read();
    }
    Incoming& incoming() { return *incoming_; }
    UniqueFd& client() { return client_; }

  private:
    UniqueFd client_;
    std::optional<Incoming> incoming_;
};

TEST_F(IncomingTest, WaitsForTheLastByte) {
    const std::string request =
        "POST /v1/x HTTP/1.1\r\nHost: lodge\r\ncontent-LENGTH: 3\r\n\r\nabc";
    for (const char byte : request.substr(0, request.size() - 1)) {
        ASSERT_FALSE(say({&byte, 1}));
    }
    EXPECT_TRUE(say("c"));
    EXPECT_FALSE(incoming().refusal());
    EXPECT_TRUE(incoming().whole());
    EXPECT_EQ(incoming().head().method, "POST");
    EXPECT_EQ(incoming().head().target, "/v1/x");
    EXPECT_EQ(incoming().content(), "abc");
}

TEST_F(IncomingTest, KnowsThatABodyStoppedShort) {
    EXPECT_FALSE(say("POST /v1/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"));
    EXPECT_TRUE(hang_up());
    EXPECT_FALSE(incoming().refusal());
    EXPECT_FALSE(incoming().has_more());
    EXPECT_EQ(incoming().whole().error().code(), ErrorCode::invalid_argument);
}

TEST_F(IncomingTest, IsEmptyWhenNobodySaidAWord) {
    EXPECT_TRUE(hang_up());
    EXPECT_TRUE(incoming().empty());
}

TEST_F(IncomingTest, DoesNotHoldWhatIsTooLarge) {
    EXPECT_TRUE(say("POST /v1/x HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n"));
    EXPECT_TRUE(incoming().is_too_large());
    EXPECT_TRUE(incoming().has_more());
}

TEST_F(IncomingTest, AsksForABodyThatIsHeldBack) {
    EXPECT_FALSE(say("POST /v1/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    std::array<char, 64> said{};
    const ssize_t size = ::recv(client().get(), said.data(), said.size(), MSG_DONTWAIT);
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string_view(said.data(), static_cast<std::size_t>(size)),
              "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(say("abc"));
}

TEST_F(IncomingTest, RefusesAHeadThatCanBeReadInTwoWays) {
    for (const char* fields : {"Content-Length: 3\r\nContent-Length: 4\r\n",
                               "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                               "Transfer-Encoding: gzip\r\n",
                               "Content-Length: +3\r\n",
                               "Content-Length: 3, 3\r\n",
                               "Content-Length: \r\n"}) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        const UniqueFd client(ends[0]);
        Incoming one{UniqueFd(ends[1])};
        const std::string request = std::string("POST / HTTP/1.1\r\n") + fields + "\r\nabc";
        ASSERT_EQ(::write(client.get(), request.data(), request.size()),
                  static_cast<ssize_t>(request.size()));
        EXPECT_TRUE(one.read()) << fields;
        EXPECT_TRUE(one.refusal()) << fields;
    }
}

} // namespace
} // namespace lodge::daemon
