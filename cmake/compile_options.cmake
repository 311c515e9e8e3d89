# One interface target, `xylem_options`, carries every flag; each of our targets links it.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

# Dev: quick to compile, still fast enough for the cluster suite.
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG" CACHE STRING "" FORCE)

add_library(xylem_options INTERFACE)
target_include_directories(xylem_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(xylem_options INTERFACE
  -Wall -Wextra -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer
  -fstack-protector-strong -fstack-clash-protection)
target_compile_definitions(xylem_options INTERFACE XYLEM_VERSION="${PROJECT_VERSION}")
if(XYLEM_KILL_POINTS)
  target_compile_definitions(xylem_options INTERFACE XYLEM_KILL_POINTS)
endif()
target_link_options(xylem_options INTERFACE -Wl,-z,relro,-z,now,--as-needed)

if(XYLEM_SANITIZE)
  # Instrumented, g++ 12 sees uninitialised members inside std::regex that are not.
  target_compile_options(xylem_options INTERFACE -fsanitize=${XYLEM_SANITIZE} -fno-sanitize-recover=all
    -Wno-maybe-uninitialized)
  target_link_options(xylem_options INTERFACE -fsanitize=${XYLEM_SANITIZE})
elseif(XYLEM_FUZZ)
  target_compile_options(xylem_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(xylem_options INTERFACE -fsanitize=address,undefined)
else()
  target_compile_options(xylem_options INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
  target_link_options(xylem_options INTERFACE -pie)
endif()

# xylem_library(NAME SOURCES … LINKS …), xylem_program(NAME SOURCES … LINKS …): one call a folder.
function(xylem_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC xylem_options ${A_LINKS})
endfunction()

function(xylem_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE xylem_options ${A_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# xylem_test(NAME SOURCES … LINKS …): one GoogleTest binary a folder, run by ctest.
function(xylem_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE xylem_options ${A_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 240 LABELS unit)
endfunction()
