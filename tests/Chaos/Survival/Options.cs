using System.Globalization;

namespace Millrace.Chaos.Survival;

/// <param name="Jobs">How many are sent.</param>
/// <param name="Submitters">Clients at once.</param>
/// <param name="Repeat">Repetitions of the crash matrix.</param>
internal sealed record Options(int Jobs, int Submitters, int Repeat)
{
    public static Options Parse(string[] args)
    {
        int Value(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
        return new Options(Value("--jobs", 0), Value("--submitters", 64), Value("--repeat", 10));
    }

    public static int Usage()
    {
        Console.Error.WriteLine("survive [--jobs 20000] [--submitters 64]: kills every process in turn under load\nsoak [--jobs 200000] [--submitters 64]: counts messages and memory\nchaos [--repeat 10]: the crash matrix, and docs/chaos-report.md");
        return 2;
    }
}
