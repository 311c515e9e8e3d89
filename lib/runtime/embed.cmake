# cmake -DIN=file -DOUT=file.cc -DNAME=symbol -P embed.cmake: a file's bytes as C++ data, so that a
# binary needs no file beside it.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "namespace runtime {
extern const unsigned char ${NAME}[];
extern const unsigned long ${NAME}Size;
const unsigned char ${NAME}[] = {${bytes}};
const unsigned long ${NAME}Size = ${size};
}  // namespace runtime
")
