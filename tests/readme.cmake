# The README must contain the example word for word.
file(READ ${readme} text)
file(READ ${example} code)
string(FIND "${text}" "```cpp\n${code}```" position)
if(position EQUAL -1)
  message(FATAL_ERROR "README.md does not contain ${example} as a code block")
endif()
