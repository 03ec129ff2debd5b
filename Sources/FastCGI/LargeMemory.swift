import CFastCGI

/// Makes glibc return large allocations, such as request bodies, to the system once they are freed.
///
/// By default, glibc raises its mmap threshold to the size of each large allocation that is freed,
/// and keeps freed allocations below the threshold.
public func returnLargeMemory() {
    mallopt(M_MMAP_THRESHOLD, 256 * 1024)
}
