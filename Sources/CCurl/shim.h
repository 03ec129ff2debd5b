#include <curl/curl.h>
#include <string.h>

// Swift cannot call curl_easy_setopt and curl_easy_getinfo, which have variable arguments.

// Reads and drops the body of a response, as far as it arrives in time.
static size_t drop_body(char *bytes, size_t size, size_t count, void *unused) {
    (void)bytes, (void)unused;
    return size * count;
}

// Posts JSON with these header fields on a connection that is kept alive; follows no redirect. Returns the status
// of the response, or the negative CURLcode of a failure. Only for one thread.
static inline long post_json(const char *url, const struct curl_slist *fields, const char *body, long timeout_ms) {
    static CURL *handle;
    long status = 0;
    if (!handle && !(handle = curl_easy_init())) return -CURLE_FAILED_INIT;
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, drop_body);
    // Events go over TLS, or stay on this host.
    if (!strncmp(url, "http://", 7)) curl_easy_setopt(handle, CURLOPT_PROXY, "");
    CURLcode code = curl_easy_perform(handle);
    if (code != CURLE_OK) return -(long)code;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
