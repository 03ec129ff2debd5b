import CFastCGI

/// Has large pieces of memory, such as those of request bodies, go back to the system as soon as they
/// are free.
///
/// Otherwise glibc raises the size from which it does so with every large piece that is freed, and
/// keeps what is smaller.
public func returnLargeMemory() {
    mallopt(M_MMAP_THRESHOLD, 256 * 1024)
}
