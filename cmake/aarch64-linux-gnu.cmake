# Builds for 64-bit ARM on another machine:
#
#   cmake -S . -B build-aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake \
#         -DUNSEEN_SYSROOT=DIR
#
# DIR is the root of such a system with the -dev packages that the Makefile names; without it they
# are looked for where `apt-get install NAME:arm64` puts them. Programs of the build, tests too, run
# under qemu-aarch64-static or qemu-aarch64 if one of them is there.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES UNSEEN_SYSROOT)

if(UNSEEN_SYSROOT)
  set(CMAKE_SYSROOT ${UNSEEN_SYSROOT})
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${UNSEEN_SYSROOT})
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR}
    ${UNSEEN_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${UNSEEN_SYSROOT}/usr/share/pkgconfig)

find_program(UNSEEN_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(UNSEEN_QEMU AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${UNSEEN_QEMU})
  if(UNSEEN_SYSROOT)
    list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -L ${UNSEEN_SYSROOT})
  endif()
endif()
