// One call from C++: the client closes with its owner, the answer is a std::string. Structures whose name a function has too,
// ar_call and ar_health, are written ar_call_request and ar_health_report.
//
//   c++ -std=c++11 one_call.cpp $(pkg-config --cflags --libs agentrelay) -o one_call && ./one_call hello
#include <agent_relay.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Closer {
    void operator()(ar_client *client) const
    {
        ar_close_wait(client);
    }
    void operator()(ar_reply *reply) const
    {
        ar_reply_free(reply);
    }
};

using Client = std::unique_ptr<ar_client, Closer>;
using Reply = std::unique_ptr<ar_reply, Closer>;

Client open()
{
    ar_options options;
    ar_client *client = nullptr;
    char problem[AR_PROBLEM_SIZE];
    ar_options_init(&options);
    if (ar_open(&options, &client, problem, sizeof(problem)) != AR_OK)
        throw std::runtime_error(problem);
    return Client(client);
}

std::string call(const Client &client, const std::string &method, const std::string &params)
{
    ar_call_request request;
    ar_reply *reply = nullptr;
    ar_call_init(&request);
    request.method = method.c_str();
    request.params = params.c_str();
    request.policy = AR_WAIT; // until the relay is there, or the deadline
    request.deadline_ms = 10000;
    int code = ar_call_wait(client.get(), &request, &reply);
    Reply owner(reply);
    if (code != AR_OK)
        throw std::runtime_error(ar_code_text(code));
    if (reply->code != AR_OK)
        throw std::runtime_error(std::string(reply->error_name) + ": " + reply->error_text);
    return reply->result;
}

std::string state(const Client &client)
{
    ar_health_report report;
    ar_health_init(&report);
    if (ar_health(client.get(), &report) != AR_OK)
        throw std::runtime_error("no health");
    return ar_state_name(report.state);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        Client client = open();
        std::string message = argc > 1 ? argv[1] : "hello";
        std::string params = "{\"name\":\"echo\",\"arguments\":{\"message\":\"" + message + "\"}}";
        std::string answer = call(client, "tools/call", params);
        std::cout << state(client) << ": " << answer << std::endl;
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "one_call: " << error.what() << std::endl;
        return 1;
    }
}
