# What PROGRAM prints when it is called with WORDS, into PAGE.
get_filename_component(folder ${PAGE} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
execute_process(COMMAND ${PROGRAM} ${WORDS} OUTPUT_VARIABLE text RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ${WORDS} ended with ${status}")
endif()
file(WRITE ${PAGE} "${text}")
