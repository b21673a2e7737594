/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in gzip, for clients that send "grpc-encoding: gzip". */
#pragma once

struct rpc_codec;

extern const struct rpc_codec grpc_gzip;
