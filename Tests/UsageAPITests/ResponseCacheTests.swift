import HTTP
import Testing
@testable import UsageAPI

@Suite struct `The cache of responses` {
    private func response(_ text: String) -> CachedResponse {
        CachedResponse(contentType: "text/plain", body: Array(text.utf8))
    }

    private func text(_ cache: ResponseCache, _ key: String, _ revision: Int64) -> String? {
        cache.response(for: Array(key.utf8), at: revision).map {
            String(decoding: $0.body, as: UTF8.self)
        }
    }

    @Test func `has a response while the revision is the same`() {
        let cache = ResponseCache(byteLimit: 1 << 20)
        #expect(text(cache, "a", 1) == nil)
        cache.add(response("one"), for: Array("a".utf8), at: 1)
        #expect(text(cache, "a", 1) == "one")
        #expect(text(cache, "b", 1) == nil)
        #expect(text(cache, "a", 2) == nil)
        // What was cached at 1 is evicted, even if a restored backup counts through 1 again.
        #expect(text(cache, "a", 1) == nil)
    }

    @Test func `takes no response of another revision`() {
        let cache = ResponseCache(byteLimit: 1 << 20)
        _ = cache.response(for: Array("a".utf8), at: 5)
        cache.add(response("late"), for: Array("a".utf8), at: 4)
        cache.add(response("early"), for: Array("a".utf8), at: 6)
        for revision in Int64(4)...6 { #expect(text(cache, "a", revision) == nil) }
    }

    @Test func `stays within its bytes, and evicts the least recently used`() {
        let cache = ResponseCache(byteLimit: 10_000)
        _ = cache.response(for: Array("".utf8), at: 1)
        let body = String(repeating: "x", count: 1000)
        for key in ["a", "b", "c", "d"] { cache.add(response(body), for: Array(key.utf8), at: 1) }
        #expect(text(cache, "a", 1) == body)
        cache.add(response(body), for: Array("e".utf8), at: 1)
        #expect(text(cache, "b", 1) == nil)
        for key in ["a", "c", "d", "e"] { #expect(text(cache, key, 1) == body) }
        cache.add(response(String(repeating: "x", count: 10_000)), for: Array("f".utf8), at: 1)
        #expect(text(cache, "f", 1) == nil)
        #expect(text(cache, "a", 1) == body)
    }

    @Test func `caches nothing without room`() {
        let cache = ResponseCache(byteLimit: 0)
        _ = cache.response(for: Array("a".utf8), at: 1)
        cache.add(response(""), for: Array("a".utf8), at: 1)
        #expect(text(cache, "a", 1) == nil)
        #expect(!cache.isOn)
    }
}
