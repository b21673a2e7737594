/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a process that has nothing to do gives back: free memory of the allocator, the part of
 * the main thread's stack that is not in use, and its claim on pages of code and constants,
 * which are in the page cache and come back 16 at a time when they are touched. Called by the
 * main thread; takes about 0.1 ms, and the first call afterwards about as much longer. Others
 * may run meanwhile.
 */
void process_rest(void);
