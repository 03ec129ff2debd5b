// What libfcgi reads from a web server, checked record by record.

/// Expects the first record of a request in this thread.
void record_filter_reset(void);
