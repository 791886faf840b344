#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lodge::daemon {

/// Decodes a request's body as its bytes come (RFC 9112, sections 6 and 7), and knows whether it
/// came whole: a route must not act on a part of a request.
class BodyDecoder {
  public:
    enum class State : std::uint8_t { partial, whole, broken };

    /// The decoder of a request without a body: whole from the beginning.
    BodyDecoder() = default;
    [[nodiscard]] static BodyDecoder of_length(std::uint64_t length);
    [[nodiscard]] static BodyDecoder of_chunks();

    /// Consumes decoded bytes from the front of `raw` and appends their content to `content`.
    State take(std::string& raw, std::string& content);
    [[nodiscard]] State state() const;

  private:
    enum class Part : std::uint8_t { content, size, chunk, chunk_end, trailer, over, broken };
    std::size_t step(std::string_view raw, std::string& content);
    std::size_t take_content(std::string_view raw, std::string& content, Part next);
    std::size_t take_size(std::string_view line);

    Part part_ = Part::over;
    std::uint64_t left_ = 0;   ///< of the content, or of the chunk
    std::size_t trailers_ = 0; ///< bytes of them so far
};

} // namespace lodge::daemon
