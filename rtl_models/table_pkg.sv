// Tables of exp, log and tanh (docs/arithmetic.md) as ROMs of float32. Do not edit: generated
// from simulator/numerics/tables.npz by
//   python -m simulator.cosim.generate_tables (version 1)
package table_pkg;

  // Not every module that is checked on its own uses all of them.
  /* verilator lint_off UNUSEDPARAM */

  // 2^(j/64)
  parameter logic [31:0] ExpT[64] = '{
      32'h3f800000, 32'h3f8164d2, 32'h3f82cd87, 32'h3f843a29, 32'h3f85aac3, 32'h3f871f62,
      32'h3f88980f, 32'h3f8a14d5, 32'h3f8b95c2, 32'h3f8d1adf, 32'h3f8ea43a, 32'h3f9031dc,
      32'h3f91c3d3, 32'h3f935a2b, 32'h3f94f4f0, 32'h3f96942d, 32'h3f9837f0, 32'h3f99e046,
      32'h3f9b8d3a, 32'h3f9d3eda, 32'h3f9ef532, 32'h3fa0b051, 32'h3fa27043, 32'h3fa43516,
      32'h3fa5fed7, 32'h3fa7cd94, 32'h3fa9a15b, 32'h3fab7a3a, 32'h3fad583f, 32'h3faf3b79,
      32'h3fb123f6, 32'h3fb311c4, 32'h3fb504f3, 32'h3fb6fd92, 32'h3fb8fbaf, 32'h3fbaff5b,
      32'h3fbd08a4, 32'h3fbf179a, 32'h3fc12c4d, 32'h3fc346cd, 32'h3fc5672a, 32'h3fc78d75,
      32'h3fc9b9be, 32'h3fcbec15, 32'h3fce248c, 32'h3fd06334, 32'h3fd2a81e, 32'h3fd4f35b,
      32'h3fd744fd, 32'h3fd99d16, 32'h3fdbfbb8, 32'h3fde60f5, 32'h3fe0ccdf, 32'h3fe33f89,
      32'h3fe5b907, 32'h3fe8396a, 32'h3feac0c7, 32'h3fed4f30, 32'h3fefe4ba, 32'h3ff28177,
      32'h3ff5257d, 32'h3ff7d0df, 32'h3ffa83b3, 32'h3ffd3e0c
  };

  // 1 / ((j + 96) / 128)
  parameter logic [31:0] LogR[97] = '{
      32'h3faaaaab, 32'h3fa8e83f, 32'h3fa72f05, 32'h3fa57eb5, 32'h3fa3d70a, 32'h3fa237c3,
      32'h3fa0a0a1, 32'h3f9f1166, 32'h3f9d89d9, 32'h3f9c09c1, 32'h3f9a90e8, 32'h3f991f1a,
      32'h3f97b426, 32'h3f964fda, 32'h3f94f209, 32'h3f939a86, 32'h3f924925, 32'h3f90fdbc,
      32'h3f8fb824, 32'h3f8e7835, 32'h3f8d3dcb, 32'h3f8c08c1, 32'h3f8ad8f3, 32'h3f89ae41,
      32'h3f888889, 32'h3f8767ab, 32'h3f864b8a, 32'h3f853408, 32'h3f842108, 32'h3f83126f,
      32'h3f820821, 32'h3f810204, 32'h3f800000, 32'h3f7e03f8, 32'h3f7c0fc1, 32'h3f7a232d,
      32'h3f783e10, 32'h3f76603e, 32'h3f74898d, 32'h3f72b9d6, 32'h3f70f0f1, 32'h3f6f2eb7,
      32'h3f6d7304, 32'h3f6bbdb3, 32'h3f6a0ea1, 32'h3f6865ac, 32'h3f66c2b4, 32'h3f652598,
      32'h3f638e39, 32'h3f61fc78, 32'h3f607038, 32'h3f5ee95c, 32'h3f5d67c9, 32'h3f5beb62,
      32'h3f5a740e, 32'h3f5901b2, 32'h3f579436, 32'h3f562b81, 32'h3f54c77b, 32'h3f53680d,
      32'h3f520d21, 32'h3f50b6a0, 32'h3f4f6475, 32'h3f4e168a, 32'h3f4ccccd, 32'h3f4b8728,
      32'h3f4a4588, 32'h3f4907da, 32'h3f47ce0c, 32'h3f46980c, 32'h3f4565c8, 32'h3f443730,
      32'h3f430c31, 32'h3f41e4bc, 32'h3f40c0c1, 32'h3f3fa030, 32'h3f3e82fa, 32'h3f3d6910,
      32'h3f3c5264, 32'h3f3b3ee7, 32'h3f3a2e8c, 32'h3f392144, 32'h3f381703, 32'h3f370fbb,
      32'h3f360b61, 32'h3f3509e7, 32'h3f340b41, 32'h3f330f63, 32'h3f321643, 32'h3f311fd4,
      32'h3f302c0b, 32'h3f2f3ade, 32'h3f2e4c41, 32'h3f2d602b, 32'h3f2c7692, 32'h3f2b8f6a,
      32'h3f2aaaab
  };

  // ln((j + 96) / 128)
  parameter logic [31:0] LogL[97] = '{
      32'hbe934b11, 32'hbe8dfccb, 32'hbe88bc74, 32'hbe8389c3, 32'hbe7cc8e3, 32'hbe729878,
      32'hbe6881c0, 32'hbe5e843a, 32'hbe549f6a, 32'hbe4ad2d7, 32'hbe411e0b, 32'hbe378094,
      32'hbe2dfa03, 32'hbe2489ec, 32'hbe1b2fe6, 32'hbe11eb89, 32'hbe08bc74, 32'hbdff448a,
      32'hbded393b, 32'hbddb5644, 32'hbdc99af3, 32'hbdb80698, 32'hbda6988b, 32'hbd955025,
      32'hbd842cc6, 32'hbd665b9e, 32'hbd44a551, 32'hbd233577, 32'hbd020aec, 32'hbcc24929,
      32'hbc8102b3, 32'hbc0080ac, 32'h00000000, 32'h3bff0153, 32'h3c7e0546, 32'h3cbdc8d8,
      32'h3cfc14d8, 32'h3d1cf43e, 32'h3d3ba2c8, 32'h3d5a16ec, 32'h3d785186, 32'h3d8b29b7,
      32'h3d9a0ebd, 32'h3da8d83a, 32'h3db78694, 32'h3dc61a2f, 32'h3dd4936a, 32'h3de2f2a4,
      32'h3df1383b, 32'h3dff648a, 32'h3e06bbf4, 32'h3e0db957, 32'h3e14aa98, 32'h3e1b8fe1,
      32'h3e22695b, 32'h3e29372f, 32'h3e2ff984, 32'h3e36b07f, 32'h3e3d5c48, 32'h3e43fd03,
      32'h3e4a92d5, 32'h3e511de1, 32'h3e579e4a, 32'h3e5e1434, 32'h3e647fbe, 32'h3e6ae10b,
      32'h3e71383b, 32'h3e77856e, 32'h3e7dc8c3, 32'h3e82012d, 32'h3e851927, 32'h3e882c60,
      32'h3e8b3ae5, 32'h3e8e44c6, 32'h3e914a10, 32'h3e944ad1, 32'h3e974716, 32'h3e9a3eed,
      32'h3e9d3263, 32'h3ea02184, 32'h3ea30c5e, 32'h3ea5f2fd, 32'h3ea8d56c, 32'h3eabb3b9,
      32'h3eae8dee, 32'h3eb16418, 32'h3eb43641, 32'h3eb70475, 32'h3eb9cec0, 32'h3ebc952b,
      32'h3ebf57c2, 32'h3ec2168f, 32'h3ec4d19c, 32'h3ec788f4, 32'h3eca3ca1, 32'h3eccecac,
      32'h3ecf991f
  };

  // tanh(j/32)
  parameter logic [31:0] TanhT[297] = '{
      32'h00000000, 32'h3cffeaad, 32'h3d7faacd, 32'h3dbf7081, 32'h3dfeacc9, 32'h3e1eb5e4,
      32'h3e3dc7fd, 32'h3e5c7e82, 32'h3e7acbf5, 32'h3e8c51cd, 32'h3e9afcc5, 32'h3ea96163,
      32'h3eb77a9f, 32'h3ec543f1, 32'h3ed2b94f, 32'h3edfd735, 32'h3eec9a9f, 32'h3ef90109,
      32'h3f028438, 32'h3f0857a4, 32'h3f0dfa3f, 32'h3f136bb8, 32'h3f18abf0, 32'h3f1dbafc,
      32'h3f22991f, 32'h3f2746c5, 32'h3f2bc480, 32'h3f301305, 32'h3f343328, 32'h3f3825d9,
      32'h3f3bec1c, 32'h3f3f870d, 32'h3f42f7d6, 32'h3f463fae, 32'h3f495fda, 32'h3f4c59a3,
      32'h3f4f2e5b, 32'h3f51df55, 32'h3f546de6, 32'h3f56db63, 32'h3f59291e, 32'h3f5b5866,
      32'h3f5d6a85, 32'h3f5f60c0, 32'h3f613c53, 32'h3f62fe74, 32'h3f64a852, 32'h3f663b10,
      32'h3f67b7cc, 32'h3f691f97, 32'h3f6a737a, 32'h3f6bb475, 32'h3f6ce37d, 32'h3f6e017f,
      32'h3f6f0f5b, 32'h3f700dea, 32'h3f70fdfd, 32'h3f71e058, 32'h3f72b5b8, 32'h3f737ed1,
      32'h3f743c4f, 32'h3f74eed6, 32'h3f7596ff, 32'h3f763560, 32'h3f76ca83, 32'h3f7756ee,
      32'h3f77db1e, 32'h3f78578b, 32'h3f78cca7, 32'h3f793adc, 32'h3f79a28f, 32'h3f7a0421,
      32'h3f7a5feb, 32'h3f7ab645, 32'h3f7b077e, 32'h3f7b53e2, 32'h3f7b9bbb, 32'h3f7bdf4c,
      32'h3f7c1ed6, 32'h3f7c5a95, 32'h3f7c92c1, 32'h3f7cc792, 32'h3f7cf939, 32'h3f7d27e8,
      32'h3f7d53ca, 32'h3f7d7d0a, 32'h3f7da3d0, 32'h3f7dc843, 32'h3f7dea85, 32'h3f7e0ab8,
      32'h3f7e28fb, 32'h3f7e456c, 32'h3f7e6026, 32'h3f7e7945, 32'h3f7e90e0, 32'h3f7ea710,
      32'h3f7ebbe9, 32'h3f7ecf80, 32'h3f7ee1e8, 32'h3f7ef334, 32'h3f7f0376, 32'h3f7f12bb,
      32'h3f7f2115, 32'h3f7f2e91, 32'h3f7f3b3d, 32'h3f7f4724, 32'h3f7f5254, 32'h3f7f5cd6,
      32'h3f7f66b6, 32'h3f7f6ffd, 32'h3f7f78b4, 32'h3f7f80e5, 32'h3f7f8896, 32'h3f7f8fd1,
      32'h3f7f969b, 32'h3f7f9cfd, 32'h3f7fa2fb, 32'h3f7fa89d, 32'h3f7fade8, 32'h3f7fb2e0,
      32'h3f7fb78c, 32'h3f7fbbef, 32'h3f7fc00e, 32'h3f7fc3ee, 32'h3f7fc791, 32'h3f7fcafc,
      32'h3f7fce32, 32'h3f7fd136, 32'h3f7fd40c, 32'h3f7fd6b5, 32'h3f7fd935, 32'h3f7fdb8f,
      32'h3f7fddc4, 32'h3f7fdfd7, 32'h3f7fe1c9, 32'h3f7fe39e, 32'h3f7fe556, 32'h3f7fe6f4,
      32'h3f7fe878, 32'h3f7fe9e5, 32'h3f7feb3c, 32'h3f7fec7e, 32'h3f7fedac, 32'h3f7feec9,
      32'h3f7fefd4, 32'h3f7ff0ce, 32'h3f7ff1ba, 32'h3f7ff297, 32'h3f7ff367, 32'h3f7ff42b,
      32'h3f7ff4e2, 32'h3f7ff58f, 32'h3f7ff631, 32'h3f7ff6c9, 32'h3f7ff758, 32'h3f7ff7de,
      32'h3f7ff85c, 32'h3f7ff8d3, 32'h3f7ff942, 32'h3f7ff9aa, 32'h3f7ffa0d, 32'h3f7ffa69,
      32'h3f7ffac0, 32'h3f7ffb11, 32'h3f7ffb5e, 32'h3f7ffba6, 32'h3f7ffbe9, 32'h3f7ffc28,
      32'h3f7ffc64, 32'h3f7ffc9c, 32'h3f7ffcd1, 32'h3f7ffd02, 32'h3f7ffd30, 32'h3f7ffd5c,
      32'h3f7ffd85, 32'h3f7ffdab, 32'h3f7ffdd0, 32'h3f7ffdf2, 32'h3f7ffe11, 32'h3f7ffe2f,
      32'h3f7ffe4c, 32'h3f7ffe66, 32'h3f7ffe7f, 32'h3f7ffe96, 32'h3f7ffeac, 32'h3f7ffec1,
      32'h3f7ffed4, 32'h3f7ffee6, 32'h3f7ffef7, 32'h3f7fff07, 32'h3f7fff16, 32'h3f7fff25,
      32'h3f7fff32, 32'h3f7fff3e, 32'h3f7fff4a, 32'h3f7fff55, 32'h3f7fff5f, 32'h3f7fff69,
      32'h3f7fff72, 32'h3f7fff7b, 32'h3f7fff83, 32'h3f7fff8b, 32'h3f7fff92, 32'h3f7fff98,
      32'h3f7fff9f, 32'h3f7fffa5, 32'h3f7fffaa, 32'h3f7fffaf, 32'h3f7fffb4, 32'h3f7fffb9,
      32'h3f7fffbd, 32'h3f7fffc1, 32'h3f7fffc5, 32'h3f7fffc9, 32'h3f7fffcc, 32'h3f7fffcf,
      32'h3f7fffd2, 32'h3f7fffd5, 32'h3f7fffd7, 32'h3f7fffda, 32'h3f7fffdc, 32'h3f7fffde,
      32'h3f7fffe0, 32'h3f7fffe2, 32'h3f7fffe4, 32'h3f7fffe6, 32'h3f7fffe7, 32'h3f7fffe9,
      32'h3f7fffea, 32'h3f7fffec, 32'h3f7fffed, 32'h3f7fffee, 32'h3f7fffef, 32'h3f7ffff0,
      32'h3f7ffff1, 32'h3f7ffff2, 32'h3f7ffff3, 32'h3f7ffff4, 32'h3f7ffff4, 32'h3f7ffff5,
      32'h3f7ffff6, 32'h3f7ffff6, 32'h3f7ffff7, 32'h3f7ffff7, 32'h3f7ffff8, 32'h3f7ffff8,
      32'h3f7ffff9, 32'h3f7ffff9, 32'h3f7ffffa, 32'h3f7ffffa, 32'h3f7ffffb, 32'h3f7ffffb,
      32'h3f7ffffb, 32'h3f7ffffb, 32'h3f7ffffc, 32'h3f7ffffc, 32'h3f7ffffc, 32'h3f7ffffc,
      32'h3f7ffffd, 32'h3f7ffffd, 32'h3f7ffffd, 32'h3f7ffffd, 32'h3f7ffffd, 32'h3f7ffffe,
      32'h3f7ffffe, 32'h3f7ffffe, 32'h3f7ffffe, 32'h3f7ffffe, 32'h3f7ffffe, 32'h3f7ffffe,
      32'h3f7ffffe, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff,
      32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff,
      32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff, 32'h3f7fffff,
      32'h3f7fffff, 32'h3f800000, 32'h3f800000, 32'h3f800000, 32'h3f800000, 32'h3f800000,
      32'h3f800000, 32'h3f800000, 32'h3f800000
  };

  // 1 - tanh(j/32)^2
  parameter logic [31:0] TanhS[297] = '{
      32'h3f800000, 32'h3f7fc00b, 32'h3f7f00aa, 32'h3f7dc35c, 32'h3f7c0a93, 32'h3f79d9b0,
      32'h3f7734f2, 32'h3f742165, 32'h3f70a4d0, 32'h3f6cc59b, 32'h3f688aba, 32'h3f63fb92,
      32'h3f5f1fde, 32'h3f59ff97, 32'h3f54a2dd, 32'h3f4f11d7, 32'h3f4954a3, 32'h3f43733f,
      32'h3f3d7573, 32'h3f3762c4, 32'h3f314262, 32'h3f2b1b1e, 32'h3f24f360, 32'h3f1ed11e,
      32'h3f18b9d9, 32'h3f12b298, 32'h3f0cbfe7, 32'h3f06e5d8, 32'h3f012805, 32'h3ef71325,
      32'h3eec1a69, 32'h3ee16a66, 32'h3ed706e0, 32'h3eccf2dd, 32'h3ec330b0, 32'h3eb9c209,
      32'h3eb0a801, 32'h3ea7e32a, 32'h3e9f7398, 32'h3e9758f6, 32'h3e8f928a, 32'h3e881f46,
      32'h3e80fdd4, 32'h3e745937, 32'h3e6753a2, 32'h3e5ae6f9, 32'h3e4f0f00, 32'h3e43c745,
      32'h3e390b29, 32'h3e2ed5ef, 32'h3e2522c2, 32'h3e1becc6, 32'h3e132f1a, 32'h3e0ae4e2,
      32'h3e03094e, 32'h3df72f3d, 32'h3de91651, 32'h3ddbbeb5, 32'h3dcf1f7f, 32'h3dc33002,
      32'h3db7e7d3, 32'h3dad3ecd, 32'h3da32d10, 32'h3d99ab06, 32'h3d90b161, 32'h3d88391e,
      32'h3d803b84, 32'h3d71643e, 32'h3d632d8e, 32'h3d55c730, 32'h3d4925e9, 32'h3d3d3f01,
      32'h3d320845, 32'h3d277800, 32'h3d1d84f8, 32'h3d142668, 32'h3d0b53fe, 32'h3d0305d5,
      32'h3cf668e1, 32'h3ce7b173, 32'h3cd9d7f1, 32'h3ccccfa5, 32'h3cc08c89, 32'h3cb5033d,
      32'h3caa2900, 32'h3c9ff3ac, 32'h3c9659a7, 32'h3c8d51e3, 32'h3c84d3d3, 32'h3c79aecb,
      32'h3c6aa9fc, 32'h3c5c8adf, 32'h3c4f43e8, 32'h3c42c857, 32'h3c370c23, 32'h3c2c03f8,
      32'h3c21a529, 32'h3c17e5a7, 32'h3c0ebbf9, 32'h3c061f36, 32'h3bfc0dec, 32'h3becd6a6,
      32'h3bde89b8, 32'h3bd11921, 32'h3bc477b4, 32'h3bb89909, 32'h3bad7177, 32'h3ba2f603,
      32'h3b991c5c, 32'h3b8fdaca, 32'h3b87282d, 32'h3b7df7d8, 32'h3b6e9be9, 32'h3b602d5c,
      32'h3b529de7, 32'h3b45e01e, 32'h3b39e760, 32'h3b2ea7ce, 32'h3b24163f, 32'h3b1a2836,
      32'h3b10d3d7, 32'h3b080fdd, 32'h3affa721, 32'h3af02d86, 32'h3ae1a383, 32'h3ad3faa1,
      32'h3ac72547, 32'h3abb16af, 32'h3aafc2d7, 32'h3aa51e75, 32'h3a9b1eef, 32'h3a91ba4f,
      32'h3a88e737, 32'h3a809cda, 32'h3a71a5ea, 32'h3a630383, 32'h3a5543e8, 32'h3a48595f,
      32'h3a3c3705, 32'h3a30d0be, 32'h3a261b29, 32'h3a1c0b94, 32'h3a1297f4, 32'h3a09b6d9,
      32'h3a015f64, 32'h39f31282, 32'h39e45938, 32'h39d68433, 32'h39c985a2, 32'h39bd508a,
      32'h39b1d8b8, 32'h39a712b7, 32'h399cf3c1, 32'h399371bb, 32'h398a8322, 32'h39821f0a,
      32'h39747a1f, 32'h3965aaa3, 32'h3957c0d1, 32'h394aaec0, 32'h393e6761, 32'h3932de6b,
      32'h39280857, 32'h391dda4e, 32'h39144a25, 32'h390b4e49, 32'h3902ddc0, 32'h38f5e034,
      32'h38e6fad1, 32'h38d8fc73, 32'h38cbd71a, 32'h38bf7da2, 32'h38b3e3b0, 32'h38a8fdac,
      32'h389ec0ad, 32'h38952278, 32'h388c196e, 32'h38839c86, 32'h38774683, 32'h38684b50,
      32'h385a3877, 32'h384cffe4, 32'h3840945e, 32'h3834e979, 32'h3829f38a, 32'h381fa79a,
      32'h3815fb5c, 32'h380ce524, 32'h38045bdc, 32'h37f8adf0, 32'h37e99ce9, 32'h37db758f,
      32'h37ce29bc, 32'h37c1ac21, 32'h37b5f041, 32'h37aaea5f, 32'h37a08f74, 32'h3796d524,
      32'h378db1b6, 32'h37851c04, 32'h377a16f0, 32'h376af003, 32'h375cb418, 32'h374f54f2,
      32'h3742c532, 32'h3736f846, 32'h372be261, 32'h3721786d, 32'h3717affd, 32'h370e7f49,
      32'h3705dd21, 32'h36fb81bf, 32'h36ec44d3, 32'h36ddf43f, 32'h36d081b2, 32'h36c3dfb6,
      32'h36b801ab, 32'h36acdbb0, 32'h36a2629e, 32'h36988bfd, 32'h368f4df4, 32'h36869f44,
      32'h367cee7f, 32'h366d9b78, 32'h365f3620, 32'h3651b010, 32'h3644fbc2, 32'h36390c7f,
      32'h362dd659, 32'h36234e17, 32'h36196930, 32'h36101dc0, 32'h36076279, 32'h35fe5d3f,
      32'h35eef3ff, 32'h35e079c7, 32'h35d2e01a, 32'h35c61960, 32'h35ba18cf, 32'h35aed266,
      32'h35a43ade, 32'h359a479f, 32'h3590eeb4, 32'h358826c4, 32'h357fce0c, 32'h35704e73,
      32'h3561bf3d, 32'h355411d8, 32'h35473897, 32'h353b269f, 32'h352fcfdd, 32'h352528fa,
      32'h351b274e, 32'h3511c0d5, 32'h3508ec2a, 32'h3500a076, 32'h34f1aada, 32'h34e30688,
      32'h34d5454f, 32'h34c8596d, 32'h34bc35f5, 32'h34b0cec2, 32'h34a6186d, 32'h349c083f,
      32'h34929425, 32'h3489b2ac, 32'h34815af2, 32'h34730939, 32'h34644fac, 32'h34567a81,
      32'h34497be4, 32'h343d46d2, 32'h3431cf18, 32'h3427093b, 32'h341cea75, 32'h341368a7,
      32'h340a7a4e, 32'h3402167b, 32'h33f46992, 32'h33e59aac, 32'h33d7b174, 32'h33ca9fff,
      32'h33be593b, 32'h33b2d0e0, 32'h33a7fb65, 32'h339dcdf4, 32'h33943e5d, 32'h338b4311,
      32'h3382d314, 32'h3375cbea, 32'h3366e78c, 32'h3358ea29, 32'h334bc5c2, 32'h333f6d32,
      32'h3333d41e, 32'h3328eeee, 32'h331eb2bc
  };

  /* verilator lint_on UNUSEDPARAM */

endpackage
